/// The changes of names that are not durable yet, in order.
///
/// As a journaling file system does it, a power cut leaves the first so many changes of each folder. A move between folders is
/// one change that stands in the order of both, and stands behind the names of the folders that lead to its target: it is
/// durable in both folders or in none. The names of a folder being durable says nothing of the folder's own name.
struct SimulatedJournal {
    struct Edit {
        var folder: SimulatedFolder
        var name: String
        /// nil removes the name.
        var node: SimulatedNode?
    }

    private struct Change {
        var edits: [Edit]
        /// Folders whose earlier changes come first, besides those of the edits.
        var behind: [SimulatedFolder]

        func touches(_ folder: SimulatedFolder) -> Bool { edits.contains { $0.folder === folder } }
    }

    private var changes: [Change] = []

    var isEmpty: Bool { changes.isEmpty }

    /// Programs see the change at once.
    mutating func change(_ edits: [Edit], behind: [SimulatedFolder] = []) {
        for edit in edits { edit.folder.entries[edit.name] = edit.node }
        changes.append(Change(edits: edits, behind: behind))
    }

    /// Makes the names of a folder durable.
    mutating func sync(_ folder: SimulatedFolder) { keep { $0.touches(folder) } }

    /// A sync that failed: by chance some names are durable. A later one may succeed.
    mutating func failSync(_ folder: SimulatedFolder) {
        let count = changes.count { $0.touches(folder) }
        var left = folder.dice.below(count + 1)
        keep { change in
            guard change.touches(folder), left > 0 else { return false }
            left -= 1
            return true
        }
    }

    /// A power cut: makes durable what survived, and forgets the rest.
    mutating func crash(_ dice: inout Dice) {
        switch dice.below(4) {
        case 0: break
        case 1: keep { _ in true }
        case 2:
            var left = dice.below(changes.count + 1)
            keep { _ in
                left -= 1
                return left >= 0
            }
        default: keepSomeOfEachFolder()
        }
        changes = []
    }

    private mutating func keepSomeOfEachFolder() {
        var counts: [ObjectIdentifier: Int] = [:]
        for change in changes {
            for edit in change.edits { counts[ObjectIdentifier(edit.folder), default: 0] += 1 }
        }
        var left: [ObjectIdentifier: Int] = [:]
        keep { change in
            var isKept = false
            for edit in change.edits {
                let folder = ObjectIdentifier(edit.folder)
                let rest = left[folder] ?? edit.folder.dice.below(counts[folder, default: 0] + 1)
                left[folder] = rest - 1
                if rest > 0 { isKept = true }
            }
            return isKept
        }
    }

    /// Makes durable the changes that are wanted, with all that come before them in the order of their folders.
    private mutating func keep(_ isWanted: (Change) -> Bool) {
        var isKept = changes.map(isWanted)
        var folders: Set<ObjectIdentifier> = []
        for index in changes.indices.reversed() {
            let change = changes[index]
            if isKept[index] || change.edits.contains(where: { folders.contains(ObjectIdentifier($0.folder)) }) {
                isKept[index] = true
                for edit in change.edits { folders.insert(ObjectIdentifier(edit.folder)) }
                for folder in change.behind { folders.insert(ObjectIdentifier(folder)) }
            }
        }
        var rest: [Change] = []
        for (change, isKept) in zip(changes, isKept) {
            guard isKept else {
                rest.append(change)
                continue
            }
            for edit in change.edits { edit.folder.durable[edit.name] = edit.node }
        }
        changes = rest
    }
}
