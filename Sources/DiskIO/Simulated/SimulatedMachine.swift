import Glibc

/// What stands under the mutex of a simulated disk: the tree, what is not durable of it, and the weather.
struct SimulatedMachine {
    var root: SimulatedFolder
    var journal = SimulatedJournal()
    var faults = SimulatedDisk.Faults()
    var counters = SimulatedDisk.Counters()
    var trace: SimulatedTrace
    /// Bytes of all files that have a name or are open.
    var used: UInt64 = 0
    /// Which process it is, the first one 0: each power cut and each kill ends one.
    var process = 0
    /// How its process will end, and after how many more operations.
    var end: (after: Int, isPowerCut: Bool)?
    private var opened = 0
    private var dice: Dice

    init(seed: UInt64, traceLimit: Int) {
        dice = Dice(seed: seed)
        root = SimulatedFolder(dice: Dice(seed: dice.next()))
        trace = SimulatedTrace(limit: traceLimit)
    }

    /// Runs one operation, and notes how it ended.
    mutating func perform<Answer>(
        _ operation: String,
        _ path: String,
        _ extent: (offset: UInt64, count: Int)? = nil,
        detail: String = "",
        by process: Int,
        _ body: (inout SimulatedMachine) throws(DiskError) -> Answer
    ) throws(DiskError) -> Answer {
        var event = SimulatedTrace.Event(operation: operation, path: path, extent: extent, detail: detail)
        do throws(DiskError) {
            guard process == self.process, !comesToItsEnd() else {
                throw DiskError(operation + " by a process that has ended", path, number: EIO)
            }
            let answer = try body(&self)
            trace.note(event)
            return answer
        } catch {
            event.outcome = error.number
            trace.note(event)
            throw error
        }
    }

    /// Counts an operation of the process that runs now, or ends it.
    private mutating func comesToItsEnd() -> Bool {
        if let end {
            if end.after == 0 {
                if end.isPowerCut { crash() } else { kill() }
                return true
            }
            self.end?.after -= 1
        }
        counters.operations += 1
        return false
    }

    /// Throws as often as `rate` says one of the errors.
    mutating func strike(
        _ rate: Double,
        _ dice: inout Dice,
        _ operation: String,
        _ path: String,
        _ numbers: Int32...
    ) throws(DiskError) {
        guard dice.happens(rate) else { return }
        counters.faults += 1
        throw DiskError(operation, path, number: numbers.count == 1 ? numbers[0] : numbers[dice.below(numbers.count)])
    }
}

// Names.
extension SimulatedMachine {
    mutating func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> (SimulatedNode, number: Int) {
        let makes =
            switch access {
            case .read, .write: false
            case .create, .createNew, .replace: true
            }
        let place = try root.place(path, "open")
        if makes, place.endsWithSlash { throw DiskError("open", path, number: EISDIR) }
        if place.node != nil, access == .createNew { throw DiskError("open", path, number: EEXIST) }
        try strike(faults.open, &place.folder.dice, "open", path, EMFILE, EIO)
        let node: SimulatedNode
        switch place.node {
        case .folder(let folder):
            if access != .read { throw DiskError("open", path, number: EISDIR) }
            node = .folder(folder)
        case .file(let file):
            if place.endsWithSlash { throw DiskError("open", path, number: ENOTDIR) }
            if access == .replace { resize(file, to: 0) }
            file.opens += 1
            node = .file(file)
        case nil:
            guard makes, let name = place.name else { throw DiskError("open", path, number: ENOENT) }
            let file = SimulatedInode(dice: Dice(seed: place.folder.dice.next()))
            file.opens = 1
            node = .file(file)
            journal.change([SimulatedJournal.Edit(folder: place.folder, name: name, node: node)])
        }
        opened += 1
        return (node, opened)
    }

    mutating func close(_ node: SimulatedNode, number: Int) {
        switch node {
        case .file(let file):
            file.lock.release(number)
            file.opens -= 1
            free(file)
        case .folder(let folder): folder.lock.release(number)
        }
    }

    mutating func makeFolder(_ path: String) throws(DiskError) -> Bool {
        let place = try root.place(path, "mkdir")
        guard place.node == nil, let name = place.name else { return false }
        try strike(faults.makeFolder, &place.folder.dice, "mkdir", path, EIO, ENOSPC)
        let folder = SimulatedFolder(dice: Dice(seed: place.folder.dice.next()))
        journal.change([SimulatedJournal.Edit(folder: place.folder, name: name, node: .folder(folder))])
        return true
    }

    mutating func list(_ path: String) throws(DiskError) -> [String] {
        let folder = try root.folder(path, "opendir")
        try strike(faults.list, &folder.dice, "opendir", path, EMFILE, EIO)
        return folder.entries.keys.sorted()
    }

    mutating func syncFolder(_ path: String) throws(DiskError) {
        try sync(try root.folder(path, "open"), "fsync", path)
    }

    mutating func sync(_ folder: SimulatedFolder, _ operation: String, _ path: String) throws(DiskError) {
        counters.folderSyncs += 1
        do throws(DiskError) {
            try strike(faults.syncFolder, &folder.dice, operation, path, EIO)
        } catch {
            journal.failSync(folder)
            throw error
        }
        journal.sync(folder)
    }

    /// Goes on behind what fails, as the system does.
    mutating func syncAll() throws(DiskError) {
        var failure: DiskError?
        func attempt(_ body: () throws(DiskError) -> Void) {
            do throws(DiskError) { try body() } catch { failure = error }
        }
        for path in root.paths(under: "", \.entries) {
            guard let node = try? root.node(path, "syncfs") else { continue }
            switch node {
            case .file(let file): attempt { () throws(DiskError) in try sync(file, path) }
            case .folder(let folder): attempt { () throws(DiskError) in try sync(folder, "syncfs", path) }
            }
        }
        if let failure { throw failure }
    }

    /// See: man 2 rename, and fs/namei.c of Linux for the order in which it refuses.
    mutating func move(_ from: String, to: String) throws(DiskError) {
        func refuse(_ number: Int32) throws(DiskError) -> Never { throw DiskError("rename", from, number: number) }
        let source = try root.place(from, "rename")
        var target: SimulatedPlace
        do throws(DiskError) {
            target = try root.place(to, "rename")
        } catch {
            try refuse(error.number)
        }
        guard let oldName = source.name, let newName = target.name else { try refuse(EBUSY) }
        guard let node = source.node else { try refuse(ENOENT) }
        if !node.isFolder, source.endsWithSlash || target.endsWithSlash { try refuse(ENOTDIR) }
        if case .folder(let folder) = node, target.folders.contains(where: { $0 === folder }) { try refuse(EINVAL) }
        switch (node, target.node) {
        case (_, nil): break
        case (.file(let old), .file(let new)): if old === new { return }
        case (.file, .folder(let new)):
            try refuse(source.folders.contains { $0 === new } ? ENOTEMPTY : EISDIR)
        case (.folder, .file): try refuse(ENOTDIR)
        case (.folder(let old), .folder(let new)):
            if old === new { return }
            if !new.entries.isEmpty { try refuse(ENOTEMPTY) }
        }
        try strike(faults.move, &source.folder.dice, "rename", from, EIO)
        journal.change(
            [
                SimulatedJournal.Edit(folder: source.folder, name: oldName, node: nil),
                SimulatedJournal.Edit(folder: target.folder, name: newName, node: node),
            ],
            behind: source.folder === target.folder ? [] : target.folders
        )
        if case .file(let replaced) = target.node { unname(replaced) }
    }

    /// Removes a file's name.
    mutating func unlink(_ path: String) throws(DiskError) {
        let place = try root.place(path, "unlink")
        guard let node = place.node else { throw DiskError("unlink", path, number: ENOENT) }
        guard case .file(let file) = node, let name = place.name else {
            throw DiskError("unlink", path, number: EISDIR)
        }
        if place.endsWithSlash { throw DiskError("unlink", path, number: ENOTDIR) }
        try strike(faults.remove, &place.folder.dice, "unlink", path, EIO)
        journal.change([SimulatedJournal.Edit(folder: place.folder, name: name, node: nil)])
        unname(file)
    }

    /// Removes an empty folder's name.
    mutating func removeFolder(_ path: String) throws(DiskError) {
        let place = try root.place(path, "rmdir")
        guard let name = place.name else {
            // The last name decides: of `.` EINVAL, of `..` ENOTEMPTY, and the root is busy.
            let last = path.split(separator: "/").last
            throw DiskError("rmdir", path, number: last == "." ? EINVAL : last == ".." ? ENOTEMPTY : EBUSY)
        }
        guard let node = place.node else { throw DiskError("rmdir", path, number: ENOENT) }
        guard case .folder(let folder) = node else { throw DiskError("rmdir", path, number: ENOTDIR) }
        if !folder.entries.isEmpty { throw DiskError("rmdir", path, number: ENOTEMPTY) }
        try strike(faults.remove, &place.folder.dice, "rmdir", path, EIO)
        journal.change([SimulatedJournal.Edit(folder: place.folder, name: name, node: nil)])
    }

    private mutating func unname(_ file: SimulatedInode) {
        file.isNamed = false
        free(file)
    }

    private mutating func free(_ file: SimulatedInode) {
        if file.opens == 0, !file.isNamed { used -= UInt64(file.contents.bytes.count) }
    }

    mutating func resize(_ file: SimulatedInode, to size: Int) {
        used += UInt64(size)
        used -= UInt64(file.contents.bytes.count)
        file.contents.truncate(to: size)
    }
}

// The ends of processes.
extension SimulatedMachine {
    mutating func kill() {
        process += 1
        end = nil
        counters.kills += 1
        trace.note(SimulatedTrace.Event(operation: "kill", path: ""))
        settle(root)
    }

    mutating func crash() {
        process += 1
        end = nil
        counters.crashes += 1
        trace.note(SimulatedTrace.Event(operation: "power cut", path: ""))
        journal.crash(&dice)
        settle(root) { folder in
            folder.entries = folder.durable
        } file: { file in
            file.contents.crash(&file.dice)
        }
    }

    /// Goes through all that has a name: nothing is open or locked any more.
    private mutating func settle(
        _ root: SimulatedFolder,
        folder change: (SimulatedFolder) -> Void = { _ in },
        file changeFile: (SimulatedInode) -> Void = { _ in }
    ) {
        used = 0
        var folders = [root]
        while let folder = folders.popLast() {
            change(folder)
            folder.lock = SimulatedLock()
            for node in folder.entries.values {
                switch node {
                case .folder(let inner): folders.append(inner)
                case .file(let file):
                    changeFile(file)
                    file.isNamed = true
                    file.opens = 0
                    file.lock = SimulatedLock()
                    used += UInt64(file.contents.bytes.count)
                }
            }
        }
    }
}
