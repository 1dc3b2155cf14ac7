import Glibc

/// Whether two stretches of memory hold the same bytes.
func memoryEqual(_ one: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    memcmp(one, other, count) == 0
}
