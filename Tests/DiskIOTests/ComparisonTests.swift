import DiskIO
import Testing

/// Random operations on the machine's disk and on the simulated one, both in a folder of one name, so that answers and errors
/// must be equal to the letter.
@Suite("the simulated disk beside the machine's")
struct ComparisonTests {
    /// Open files of one disk, in slots.
    private final class World {
        let disk: any Disk
        var files: [(any DiskFile)?] = Array(repeating: nil, count: 6)
        /// The errors it met, by call and number.
        var errors: Set<String> = []

        init(_ disk: any Disk) { self.disk = disk }
    }

    private enum Step {
        case open(String, DiskAccess, slot: Int)
        case close(Int)
        case write(Int, [UInt8], at: UInt64)
        case read(Int, Int, at: UInt64)
        case truncate(Int, UInt64)
        case size(Int)
        case sync(Int)
        case lock(Int)
        case makeFolder(String)
        case makeFolders(String)
        case list(String)
        case exists(String)
        case syncFolder(String)
        case move(String, String)
        case remove(String)
        case removeFolder(String)
        case removeEmptyFolder(String)
        case replace(String, [UInt8])

        init(_ random: inout Seeded, root: String) {
            // Few names, so that paths meet; the root itself stays.
            func path(_ random: inout Seeded) -> String {
                let names = (0..<random.pick([1, 1, 1, 2, 2, 3])).map { _ in random.pick(["a", "b", "c"]) }
                let slash = random.below(30)
                return root + (slash == 0 ? "//" : slash == 1 ? "/./" : "/") + names.joined(separator: "/")
                    + (slash == 2 ? "/" : slash == 3 ? "/.." : slash == 4 ? "/." : "")
            }
            let slot = random.below(6)
            switch random.below(40) {
            case 0..<8:
                let access = random.pick([DiskAccess.read, .write, .create, .create, .createNew, .replace])
                self = .open(path(&random), access, slot: slot)
            case 8: self = .close(slot)
            case 9..<15:
                self = .write(slot, random.bytes(random.pick([0, 1, 10, 700, 3000])), at: UInt64(random.below(5000)))
            case 15..<19: self = .read(slot, random.pick([0, 1, 100, 10_000]), at: UInt64(random.below(6000)))
            case 19, 20: self = .truncate(slot, UInt64(random.below(6000)))
            case 21, 22: self = .size(slot)
            case 23: self = random.below(4) == 0 ? .sync(slot) : .size(slot)
            case 24, 25: self = .lock(slot)
            case 26, 27: self = .makeFolder(path(&random))
            case 28: self = random.below(3) == 0 ? .makeFolders(path(&random)) : .makeFolder(path(&random))
            case 29, 30: self = .list(path(&random))
            case 31: self = .exists(path(&random))
            case 32: self = random.below(3) == 0 ? .syncFolder(path(&random)) : .exists(path(&random))
            case 33, 34, 35: self = .move(path(&random), path(&random))
            case 36: self = .remove(path(&random))
            case 37: self = .removeEmptyFolder(path(&random))
            case 38: self = random.below(3) == 0 ? .removeFolder(path(&random)) : .remove(path(&random))
            default: self = .replace(path(&random), random.bytes(20))
            }
        }

        /// What it comes to, in words.
        func run(_ world: World) -> String {
            do {
                return try answer(world)
            } catch {
                guard let error = error as? DiskError else { return "\(error)" }
                world.errors.insert("\(error.operation) \(error.number)")
                return "\(error.operation) \(error.path) \(error.number)"
            }
        }

        private func answer(_ world: World) throws -> String {
            let disk = world.disk
            switch self {
            case .open(let path, let access, let slot):
                world.files[slot] = try disk.open(path, access)
                return "opened"
            case .close(let slot):
                world.files[slot] = nil
                return "closed"
            case .write(let slot, let bytes, let offset):
                return "\(try world.files[slot]?.write(bytes, at: offset) as Any)"
            case .read(let slot, let count, let offset):
                return "\(try world.files[slot]?.read(count, at: offset) as Any)"
            case .truncate(let slot, let size): return "\(try world.files[slot]?.truncate(to: size) as Any)"
            case .size(let slot):
                // A folder's size is a matter of the file system.
                guard let file = world.files[slot] else { return "none" }
                if number({ _ = try file.read(1, at: 0) }) != 0 { return "a folder" }
                return "\(try file.size())"
            case .sync(let slot): return "\(try world.files[slot]?.sync() as Any)"
            case .lock(let slot): return "\(try world.files[slot]?.lock() as Any)"
            case .makeFolder(let path): return "\(try disk.makeFolder(path))"
            case .makeFolders(let path): return "\(try disk.makeFolders(path))"
            case .list(let path): return "\(try disk.list(path))"
            case .exists(let path): return "\(disk.exists(path))"
            case .syncFolder(let path): return "\(try disk.syncFolder(path))"
            case .move(let from, let to): return "\(try disk.move(from, to: to))"
            case .remove(let path): return "\(try disk.remove(path))"
            case .removeFolder(let path): return "\(try disk.removeFolder(path))"
            case .removeEmptyFolder(let path): return "\(try disk.removeEmptyFolder(path))"
            case .replace(let path, let bytes): return "\(try disk.replace(path, with: bytes))"
            }
        }
    }

    /// All names and bytes under a folder.
    private static func tree(_ disk: any Disk, _ path: String) -> [String] {
        guard let names = try? disk.list(path) else { return ["\(path) \((try? disk.bytes(path)) ?? [])"] }
        return [path] + names.flatMap { tree(disk, path + "/" + $0) }
    }

    @Test("the same random operations give the same answers, errors and files")
    func sameAnswers() throws {
        var errors: Set<String> = []
        for seed in [UInt64.random(in: .min ... .max)] + (0..<30) {
            var random = Seeded(state: seed)
            let machine = try Place.machine()
            let root = machine.root + "/root"
            let simulated = SimulatedDisk(seed: seed)
            let (one, other) = (World(machine.disk), World(simulated))
            for disk in [one.disk, other.disk] { try disk.makeFolders(root) }
            for index in 0..<400 {
                let step = Step(&random, root: root)
                let (expected, found) = (step.run(one), step.run(other))
                try #require(
                    found == expected,
                    "seed \(seed), step \(index): \(step)\n\(simulated.trace.suffix(30).joined(separator: "\n"))"
                )
            }
            errors.formUnion(one.errors)
            #expect(Self.tree(one.disk, root) == Self.tree(other.disk, root), "seed \(seed)")
            // What is used is what the files hold, once nothing is open.
            other.files = []
            let bytes = simulated.paths.filter { !$0.hasSuffix("/") }.map { (try? simulated.bytes($0).count) ?? 0 }
            #expect(simulated.used == UInt64(bytes.reduce(0, +)), "seed \(seed)")
        }
        #expect(errors.count > 15, "the operations met \(errors.sorted())")
    }
}
