import Synchronization

/// Meets the verdicts of a request's parts and resumes the request once.
final class PutJoin: Sendable {
    /// What became of one part.
    enum Verdict: Sendable {
        case waiting
        case placed(Placement)
        case failed(WriteFailure)
        case overlaps
        case needsOpening
        case closed
    }

    private struct State {
        var verdicts: [Verdict]
        var missing: Int
        var continuation: CheckedContinuation<[Verdict], Never>?
    }

    private let state: Mutex<State>

    init(parts: Int) {
        state = Mutex(State(verdicts: Array(repeating: .waiting, count: parts), missing: parts))
    }

    /// Names who waits, before the first verdict.
    func begin(_ continuation: CheckedContinuation<[Verdict], Never>) {
        let done = state.withLock { state -> [Verdict]? in
            if state.missing == 0 { return state.verdicts }
            state.continuation = continuation
            return nil
        }
        if let done { continuation.resume(returning: done) }
    }

    func complete(_ part: Int, _ verdict: Verdict) {
        let ready = state.withLock { state -> (CheckedContinuation<[Verdict], Never>, [Verdict])? in
            state.verdicts[part] = verdict
            state.missing -= 1
            guard state.missing == 0, let continuation = state.continuation else { return nil }
            state.continuation = nil
            return (continuation, state.verdicts)
        }
        if let ready { ready.0.resume(returning: ready.1) }
    }
}
