import Agent
import CSystemd

/// Tells systemd how the agent is; without a NOTIFY_SOCKET nothing happens. See sd_notify(3).
struct ServiceManager: Sendable {
    /// How often systemd wants to hear of the agent; nil when it does not watch.
    private let watchdog: Duration?

    init() {
        var microseconds: UInt64 = 0
        watchdog = sd_watchdog_enabled(0, &microseconds) > 0 ? .microseconds(Int64(clamping: microseconds)) : nil
    }

    func notify(_ state: String) {
        // A negative answer means that nobody listens, which is nobody's loss.
        _ = sd_notify(0, state)
    }

    /// Reports until cancelled. The watchdog is fed only while every flow advances or rests for a reason.
    func report(_ agent: Agent) async {
        let period = min(watchdog.map { $0 / 3 } ?? .seconds(5), .seconds(5))
        while !Task.isCancelled {
            // A cancelled sleep ends the loop.
            do { try await Task.sleep(for: period) } catch { return }
            var state = "STATUS=\(agent.summary)"
            if watchdog != nil, agent.isAlive { state += "\nWATCHDOG=1" }
            notify(state)
        }
    }
}
