import DiskIO
import Glibc
import Testing

@Suite("what every disk does")
struct DiskContract {
    @Test("what was written is read, over the ends of writes too", arguments: Kind.allCases)
    func writesAndReads(_ kind: Kind) throws {
        let place = try kind.place()
        let file = try place.disk.open(place.path("a"), .createNew)
        try file.write([1, 2, 3, 4], at: 0)
        try file.write([5, 6], at: 3)
        #expect(try file.all() == [1, 2, 3, 5, 6])
        #expect(try file.read(10, at: 4) == [6])
        #expect(try file.read(10, at: 5) == [])
        #expect(try file.read(10, at: 500) == [])
        #expect(file.path == place.path("a"))
    }

    @Test("pieces are written one behind the other, empty ones and thousands of them", arguments: Kind.allCases)
    func pieces(_ kind: Kind) throws {
        let place = try kind.place()
        let file = try place.disk.open(place.path("a"), .createNew)
        let bytes = (0..<6000).map { UInt8(truncatingIfNeeded: $0) }
        bytes.withUnsafeBytes { bytes in
            let pieces = (0..<3000).flatMap { index in
                [
                    UnsafeRawBufferPointer(rebasing: bytes[index * 2..<index * 2 + 2]),
                    UnsafeRawBufferPointer(start: nil, count: 0),
                ]
            }
            pieces.withUnsafeBufferPointer { pieces in #expect(throws: Never.self) { try file.write(pieces, at: 7) } }
        }
        #expect(try file.all() == [UInt8](repeating: 0, count: 7) + bytes)
    }

    @Test("a write beyond the end fills with zeros, and one of no bytes does nothing", arguments: Kind.allCases)
    func beyondTheEnd(_ kind: Kind) throws {
        let place = try kind.place()
        let file = try place.disk.open(place.path("a"), .create)
        try file.write([], at: 100)
        #expect(try file.size() == 0)
        try file.write([9], at: 3)
        #expect(try file.all() == [0, 0, 0, 9])
    }

    @Test(
        "a file that passes the cache takes any write: of whole blocks, and of anything else",
        arguments: Kind.allCases
    )
    func passesCache(_ kind: Kind) throws {
        let place = try kind.place()
        let file = try place.disk.open(place.path("a"), .createNew)
        file.passCache(true)
        let block = 4096
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * block, alignment: block)
        defer { memory.deallocate() }
        for index in memory.indices { memory[index] = UInt8(truncatingIfNeeded: index / 7) }
        var expected = [UInt8](memory)
        try file.write(UnsafeRawBufferPointer(memory), at: 0)
        try file.write(UnsafeRawBufferPointer(rebasing: memory[block...]), at: UInt64(2 * block))
        expected.replaceSubrange(2 * block..<3 * block, with: memory[block..<2 * block])
        expected += memory[2 * block..<3 * block]
        #expect(try file.all() == expected)
        try file.write([1, 2, 3], at: 5)
        try file.write(UnsafeRawBufferPointer(rebasing: memory[1...block]), at: UInt64(4 * block))
        expected.replaceSubrange(5..<8, with: [1, 2, 3])
        expected += memory[1...block]
        try file.write(UnsafeRawBufferPointer(rebasing: memory[..<block]), at: UInt64(block))
        expected.replaceSubrange(block..<2 * block, with: memory[..<block])
        try file.sync()
        #expect(try file.all() == expected)
        #expect(try place.disk.open(place.path("a"), .read).all() == expected)
    }

    @Test("a truncation cuts, and lengthens with zeros even where bytes were", arguments: Kind.allCases)
    func truncates(_ kind: Kind) throws {
        let place = try kind.place()
        let file = try place.disk.write(place.path("a"), [1, 2, 3, 4])
        try file.truncate(to: 2)
        try file.truncate(to: 5)
        #expect(try file.all() == [1, 2, 0, 0, 0])
    }

    @Test("opening does what the access says", arguments: Kind.allCases)
    func accesses(_ kind: Kind) throws {
        let place = try kind.place()
        let (disk, path) = (place.disk, place.path("a"))
        #expect(number { _ = try disk.open(path, .read) } == ENOENT)
        #expect(number { _ = try disk.open(path, .write) } == ENOENT)
        try disk.open(path, .createNew).write([1], at: 0)
        #expect(number { _ = try disk.open(path, .createNew) } == EEXIST)
        #expect(try disk.open(path, .create).all() == [1])
        #expect(try disk.open(path, .write).all() == [1])
        let reader = try disk.open(path, .read)
        #expect(number { try reader.write([2], at: 0) } == EBADF)
        #expect(number { try reader.truncate(to: 0) } == EINVAL)
        try reader.sync()
        #expect(try disk.open(path, .replace).size() == 0)
        #expect(try reader.size() == 0)
        #expect(number { _ = try disk.open(path + "/b", .create) } == ENOTDIR)
        #expect(number { _ = try disk.open(place.path("none/b"), .create) } == ENOENT)
        #expect(number { _ = try disk.open(place.root, .write) } == EISDIR)
        #expect(number { _ = try disk.open("", .read) } == ENOENT)
        #expect(number { _ = try disk.open(place.path(String(repeating: "n", count: 256)), .create) } == ENAMETOOLONG)
    }

    @Test("a removed or moved file stays usable for who has it open", arguments: Kind.allCases)
    func openOutlivesName(_ kind: Kind) throws {
        let place = try kind.place()
        let (a, b) = (try place.disk.write(place.path("a"), [1]), try place.disk.write(place.path("b"), [2]))
        try place.disk.remove(place.path("a"))
        try place.disk.move(place.path("b"), to: place.path("c"))
        for file in [a, b] {
            try file.write([7], at: 1)
            try file.sync()
        }
        #expect(try a.all() == [1, 7])
        #expect(try place.disk.bytes(place.path("c")) == [2, 7])
        #expect(try place.disk.list(place.root) == ["c"])
    }

    @Test("a new file of a removed one's name is another file", arguments: Kind.allCases)
    func sameName(_ kind: Kind) throws {
        let place = try kind.place()
        let old = try place.disk.write(place.path("a"), [1, 2, 3])
        try place.disk.remove(place.path("a"))
        #expect(try place.disk.open(place.path("a"), .createNew).size() == 0)
        #expect(try old.all() == [1, 2, 3])
    }

    @Test("one open file has the lock, until its last reference goes", arguments: Kind.allCases)
    func locks(_ kind: Kind) throws {
        let place = try kind.place()
        var first: (any DiskFile)? = try place.disk.open(place.path("lock"), .create)
        let second = try place.disk.open(place.path("lock"), .create)
        #expect(try first?.lock() == true)
        #expect(try first?.lock() == true)
        #expect(try second.lock() == false)
        first = nil
        #expect(try second.lock())
        #expect(try place.disk.open(place.path("lock"), .read).lock() == false)
    }

    @Test("folders are made, listed sorted and removed", arguments: Kind.allCases)
    func folders(_ kind: Kind) throws {
        let place = try kind.place()
        let disk = place.disk
        #expect(try disk.makeFolder(place.path("b")))
        #expect(try disk.makeFolder(place.path("b")) == false)
        try disk.write(place.path("a"), [])
        #expect(try disk.makeFolder(place.path("a")) == false)
        #expect(try disk.list(place.root) == ["a", "b"])
        #expect(disk.exists(place.path("b")) && disk.exists(place.path("a")) && !disk.exists(place.path("c")))
        #expect(number { _ = try disk.makeFolder(place.path("c/d")) } == ENOENT)
        #expect(number { _ = try disk.makeFolder(place.path("a/d")) } == ENOTDIR)
        #expect(number { _ = try disk.list(place.path("a")) } == ENOTDIR)
        #expect(number { _ = try disk.list(place.path("c")) } == ENOENT)
        #expect(number { try disk.syncFolder(place.path("a")) } == ENOTDIR)
        #expect(number { try disk.syncFolder(place.path("c")) } == ENOENT)
        try disk.makeFolders(place.path("b/c/d"))
        try disk.write(place.path("b/c/e"), [1])
        #expect(try disk.removeEmptyFolder(place.path("b")) == false)
        #expect(try disk.removeEmptyFolder(place.path("b/c/d")))
        #expect(try disk.removeEmptyFolder(place.path("b/c/d")) == false)
        #expect(number { _ = try disk.removeEmptyFolder(place.path("a")) } == ENOTDIR)
        try disk.removeFolder(place.path("b"))
        #expect(number { try disk.removeFolder(place.path("b")) } == ENOENT)
        #expect(number { try disk.removeFolder(place.path("a")) } == ENOTDIR)
        #expect(try disk.list(place.root) == ["a"])
    }

    @Test("removing what is not there succeeds, and a folder is refused", arguments: Kind.allCases)
    func removes(_ kind: Kind) throws {
        let place = try kind.place()
        try place.disk.remove(place.path("a"))
        try place.disk.remove(place.path("a/b"))
        #expect(number { try place.disk.remove(place.root) } == EISDIR)
        try place.disk.write(place.path("a"), [])
        #expect(number { try place.disk.remove(place.path("a/b")) } == ENOTDIR)
    }

    @Test("a move replaces a file or an empty folder, and nothing else", arguments: Kind.allCases)
    func moves(_ kind: Kind) throws {
        let place = try kind.place()
        let disk = place.disk
        func move(_ from: String, _ to: String) -> Int32 {
            number { try disk.move(place.path(from), to: place.path(to)) }
        }
        try disk.write(place.path("a"), [1])
        try disk.write(place.path("b"), [2])
        try disk.makeFolders(place.path("f/g"))
        _ = try disk.makeFolder(place.path("e"))
        #expect(move("none", "b") == ENOENT)
        #expect(move("a", "none/a") == ENOENT)
        #expect(move("a", "b/a") == ENOTDIR)
        #expect(move("a", "a") == 0)
        #expect(move("a", "b") == 0)
        #expect(try disk.bytes(place.path("b")) == [1])
        #expect(move("b", "e") == EISDIR)
        #expect(move("e", "b") == ENOTDIR)
        #expect(move("e", "f") == ENOTEMPTY)
        #expect(move("f", "f/g/h") == EINVAL)
        #expect(move("f/g", "f") == ENOTEMPTY)
        #expect(move("b", "f/g/b") == 0)
        #expect(move("f", "e") == 0)
        #expect(try disk.bytes(place.path("e/g/b")) == [1])
        #expect(try disk.list(place.root) == ["e"])
    }

    @Test("a small file is replaced whole", arguments: Kind.allCases)
    func replaces(_ kind: Kind) throws {
        let place = try kind.place()
        try place.disk.replace(place.path("a"), with: [1, 2, 3])
        try place.disk.replace(place.path("a"), with: [4])
        #expect(try place.disk.bytes(place.path("a")) == [4])
        #expect(try place.disk.list(place.root) == ["a"])
    }

    @Test("paths with dots, doubled and trailing slashes lead where they should", arguments: Kind.allCases)
    func paths(_ kind: Kind) throws {
        let place = try kind.place()
        let disk = place.disk
        try disk.makeFolders(place.path("f/g"))
        try disk.write(place.path("f//./g/../a"), [1])
        #expect(try disk.bytes(place.path("f/a")) == [1])
        #expect(number { _ = try disk.open(place.path("f/a/"), .read) } == ENOTDIR)
        #expect(number { _ = try disk.open(place.path("f/b/"), .create) } == EISDIR)
        #expect(try disk.list(place.path("f/")) == ["a", "g"])
        #expect(number { try disk.removeFolder(place.path("f/g/.")) } == EINVAL)
        #expect(number { try disk.move(place.path("f/g/."), to: place.path("h")) } == EBUSY)
        #expect(try disk.makeFolder(place.path("f/.")) == false)
        #expect(number { try disk.remove("/") } == EISDIR)
        #expect(number { _ = try disk.open("/", .createNew) } == EEXIST)
    }
}
