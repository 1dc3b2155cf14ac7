/// The body of one request as it arrives: how large it is, whether it still may be taken, and its bytes.
struct BodyCollector {
    /// Bytes a body may have: AWS takes 10 MiB of data, which is 13.4 MiB of base64, and some JSON around it.
    static let limit = 16 * 1024 * 1024

    /// Why a body is not taken. What still comes of it is thrown away.
    enum Refusal {
        /// More than `limit` bytes.
        case tooLarge
        /// The budget of all bodies had no room for it in time.
        case noRoom
    }

    private(set) var bytes: [UInt8] = []
    private(set) var refusal: Refusal?
    /// What it holds of the budget, once it is large enough to be counted.
    private(set) var hold: BodyHold?
    private let announced: Int

    /// - Parameter announced: the request's Content-Length, 0 when it has none.
    init(announced: Int) {
        self.announced = announced
        if announced > Self.limit { refusal = .tooLarge }
        bytes.reserveCapacity(min(announced, BodyBudget.free))
    }

    /// Adds a piece; tells whether more may be read at once. `resume` is called, on any thread, when it may be after `waits`.
    mutating func append(
        _ piece: some Collection<UInt8>,
        _ budget: BodyBudget,
        resume: @escaping @Sendable () -> Void
    ) -> BodyBudget.Outcome {
        guard refusal == nil else { return .refused }
        guard bytes.count + piece.count <= Self.limit else {
            refuse(.tooLarge)
            return .refused
        }
        if hold == nil, bytes.count + piece.count > BodyBudget.free {
            hold = budget.begin()
            // Whoever sent so much means to send the rest.
            bytes.reserveCapacity(max(announced, bytes.count + piece.count))
        }
        bytes.append(contentsOf: piece)
        guard let hold else { return .granted }
        let outcome = hold.grow(to: bytes.count, resume: resume)
        if outcome == .refused { refuse(.noRoom) }
        return outcome
    }

    /// Stops taking it, and gives back what it held.
    mutating func refuse(_ reason: Refusal) {
        refusal = reason
        bytes = []
        hold?.release()
        hold = nil
    }
}
