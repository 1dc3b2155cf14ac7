extension SimulatedDisk {
    /// How often each call fails, from 0 (never) to 1 (always), and how much fits on the disk.
    public struct Faults: Sendable {
        /// A write fails with EIO, perhaps after some of its bytes are in the file.
        public var write: Double
        /// A write fails with ENOSPC, perhaps after some of its bytes are in the file.
        public var outOfSpace: Double
        /// A sync fails with EIO: some sectors are durable by chance, the other unsynced bytes are read on but never will be,
        /// even when a later sync succeeds.
        public var sync: Double
        /// A read fails with EIO.
        public var read: Double
        /// A truncation fails with EIO, and nothing is changed.
        public var truncate: Double
        /// A sync of a folder fails with EIO. Some names are durable by chance; a later sync that succeeds makes all of them so.
        public var syncFolder: Double
        /// Opening a file fails with EMFILE or EIO, and nothing is made or emptied.
        public var open: Double
        /// Listing a folder fails with EIO or EMFILE.
        public var list: Double
        /// Making a folder fails with EIO or ENOSPC.
        public var makeFolder: Double
        /// A move fails with EIO, and nothing is moved.
        public var move: Double
        /// Removing a file or a folder fails with EIO, and it stays.
        public var remove: Double
        /// The bytes of all files that fit, holes included; a write beyond ends early with ENOSPC. No limit by default.
        public var capacity: UInt64?

        /// No faults unless told.
        public init(
            write: Double = 0,
            outOfSpace: Double = 0,
            sync: Double = 0,
            read: Double = 0,
            truncate: Double = 0,
            syncFolder: Double = 0,
            open: Double = 0,
            list: Double = 0,
            makeFolder: Double = 0,
            move: Double = 0,
            remove: Double = 0,
            capacity: UInt64? = nil
        ) {
            self.write = write
            self.outOfSpace = outOfSpace
            self.sync = sync
            self.read = read
            self.truncate = truncate
            self.syncFolder = syncFolder
            self.open = open
            self.list = list
            self.makeFolder = makeFolder
            self.move = move
            self.remove = remove
            self.capacity = capacity
        }
    }

    /// What happened so far.
    public struct Counters: Sendable, Equatable {
        /// Calls, but for `exists`, of processes that had not ended. A name removed with its folder counts for itself.
        public var operations = 0
        /// Calls that were made to fail, those that met the capacity included.
        public var faults = 0
        /// Calls of `write`.
        public var writes = 0
        /// Bytes that writes put into files.
        public var bytesWritten: UInt64 = 0
        /// Calls of `sync` on files.
        public var syncs = 0
        /// Calls of `syncFolder`.
        public var folderSyncs = 0
        /// Power cuts.
        public var crashes = 0
        /// Kills.
        public var kills = 0
    }
}
