import EmbeddedState
import Foundation
import StateStore
import Testing

/// The implementations that the contract is run over.
enum Engine: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, embedded, delayed

    var testDescription: String { rawValue }

    /// Runs `body` with a fresh store.
    func run(_ body: (any StateStore) async throws -> Void) async throws {
        switch self {
        case .memory: try await body(MemoryStateStore())
        case .embedded:
            try await withFolder { folder in
                let store = try EmbeddedState(path: folder + "/state.db")
                try await body(store)
                try store.close()
            }
        case .delayed:
            try await body(FaultyStateStore(MemoryStateStore(), seed: 7, rates: .init(delay: 0.5)))
        }
    }
}

/// Runs `body` with a folder that is removed behind it.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = NSTemporaryDirectory() + "/millrace-state-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}
