import ArgumentParser
import AuditTrail
import CSystemd
import Collector
import CollectorServer
import Delivery
import DiskIO
import EmbeddedLog
import EmbeddedState
import Glibc
import LeaseTable
import Logging
import ServiceLifecycle
import StreamKeys
import UnixSignals

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves until it is told to stop (the default).")

    @OptionGroup var options: Options

    func run() async throws {
        let settings = try options.resolved()
        // A peer that hangs up is an error of that write, not of the process.
        signal(SIGPIPE, SIG_IGN)
        let logger = Logger(label: "millrace-collector") { StreamLogHandler.standardError(label: $0) }
        guard mkdir(settings.dataDir, 0o700) == 0 || errno == EEXIST else {
            throw Problem.configuration("\(settings.dataDir): can't be made: \(String(cString: strerror(errno)))")
        }
        do {
            try await serve(settings, logger)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem.failure("\(error)")
        }
    }

    /// Tells whoever started the collector that it serves. Without a NOTIFY_SOCKET sd_notify(3) does nothing, and a negative
    /// answer means that nobody listens.
    private static func sayReady(_ url: String) {
        say("ready \(url)")
        _ = sd_notify(0, "READY=1\nSTATUS=serves \(url)")
    }

    private func serve(_ settings: Settings, _ logger: Logger) async throws {
        let now: @Sendable () -> Int64 = {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        }
        Heap.keepBlocks()
        var store = EmbeddedLog.Configuration()
        store.storeBytes = settings.storeBytes
        // The others are for connections.
        store.openFileLimit = min(4096, (OpenFiles.raise() ?? 1024) / 4)
        let log = try EmbeddedLog.open(directory: settings.dataDir + "/log", configuration: store, logger: logger)
        let state = try EmbeddedState(path: settings.dataDir + "/state.sqlite")
        let collector = try await Collector.open(
            log: log,
            state: state,
            configuration: Collector.Configuration(
                account: settings.account,
                transition: settings.transition,
                limits: settings.limits
            ),
            keys: KeyRing(settings.keys, account: settings.account, now: now, logger: logger),
            now: now,
            logger: logger
        )
        let delivery = DeliveryService(
            access: collector,
            state: state,
            sinkRoot: settings.sinkRoot,
            account: settings.account,
            logger: logger
        )
        let keys: AccessWatch
        do throws(AccessWatch.Problem) {
            keys = try AccessWatch(settings.access, logger: logger)
        } catch {
            throw Problem.configuration(error.lines.joined(separator: "\nmillrace-collector: "))
        }
        let authenticator = Authenticator(
            keys: keys,
            account: settings.account,
            verifies: settings.verifiesSignatures,
            now: now
        )
        let audit = settings.auditLog.map { AuditTrail(path: $0, logger: logger) }
        let server = HTTPServer(
            configuration: HTTPServer.Configuration(
                host: settings.listen.host,
                port: settings.listen.port,
                tls: settings.tls
            ),
            service: APIService(
                collector: collector,
                delivery: delivery,
                leases: LeaseTables(store: state, account: settings.account),
                authenticator: authenticator,
                audit: audit,
                logger: logger
            ),
            logger: logger
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    Part { await collector.run() },
                    Part { try await delivery.run() },
                    Part { try await keys.run() },
                    Part { for await _ in await UnixSignalsSequence(trapping: .sighup) { keys.reload() } },
                    Part { try await server.run { Self.sayReady($0) } },
                ].map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        do {
            try await group.run()
        } catch is CancellationError {}
        _ = sd_notify(0, "STOPPING=1")
        audit?.close()
        await collector.saveSnapshots()
        await log.close()
        try state.close()
    }
}

/// A part of the collector that runs until it is cancelled; stopping gracefully cancels it.
private struct Part: Service {
    let body: @Sendable () async throws -> Void

    init(_ body: @escaping @Sendable () async throws -> Void) { self.body = body }

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do { try await body() } catch is CancellationError {}
        }
    }
}
