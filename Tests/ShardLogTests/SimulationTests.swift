import Glibc
import Testing

@Suite("the embedded log over a disk that fails")
struct SimulationTests {
    /// `SIMULATION_SEEDS=FROM-TO` runs others, `SIMULATION_OPERATIONS` more of each: a failure names its seed.
    private static let seeds: ClosedRange<UInt64> = {
        let named = getenv("SIMULATION_SEEDS").map {
            String(cString: $0).split(separator: "-").compactMap { UInt64($0) }
        }
        guard let first = named?.first, let last = named?.last else { return 1...150 }
        return first...last
    }()

    private static let traceLines = getenv("SIMULATION_TRACE").flatMap { Int(String(cString: $0)) } ?? 40

    private static let operations =
        getenv("SIMULATION_OPERATIONS").flatMap { Int(String(cString: $0)) } ?? 1_000

    @Test("loses nothing that was acknowledged, shows nothing that was not, and brings nothing back that was trimmed")
    func simulation() throws {
        var (acknowledged, faults, restarts, violations) = (0, 0, 0, 0)
        for seed in Self.seeds {
            let simulation = Simulation(seed: seed)
            do {
                try simulation.run(Self.operations)
            } catch {
                violations += 1
                let trace = simulation.trace.suffix(Self.traceLines).joined(separator: "\n    ")
                Issue.record("\(error)\n  the disk's last calls:\n    \(trace)")
                if violations == 3 { break }
            }
            acknowledged += simulation.acknowledged
            faults += simulation.faults
            restarts += simulation.restarts
        }
        print(
            "simulated: seeds \(Self.seeds), \(acknowledged) appends acknowledged, \(faults) faults, \(restarts) restarts"
        )
        #expect(acknowledged > Self.seeds.count * 50)
        #expect(faults > Self.seeds.count * 10)
    }
}
