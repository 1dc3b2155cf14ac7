import Glibc

/// One reader under attack.
///
/// libFuzzer makes up inputs and keeps those that reach new code. A reader may refuse an input, and it may never crash, hang,
/// read beyond its bytes, or tell something else than another reader of the same bytes: what it must not do is trapped by
/// `require`, by Swift itself, or by the address sanitizer.
struct FuzzTarget: Sendable {
    /// As the command line has it.
    var name: String
    /// Good inputs to begin with.
    var seeds: [[UInt8]]
    /// Words that inputs are made of.
    var words: [String]
    /// Reads one input.
    var run: @Sendable (UnsafeBufferPointer<UInt8>) -> Void

    /// Every target there is.
    static let all: [FuzzTarget] = [
        .jsonTree, .cborTree, .jsonPut, .cborPut, .eventStream, .signature, .expression, .name, .policy,
    ]
}

/// Ends the process unless the condition holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// libFuzzer's callback carries nothing along.
nonisolated(unsafe) private var chosen = FuzzTarget.jsonTree

/// `Fuzz list`, `Fuzz seeds FOLDER`, or `Fuzz TARGET [libFuzzer's arguments]`.
@main
enum Fuzz {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "list": for target in FuzzTarget.all { print(target.name) }
        case "seeds": writeSeeds(to: arguments.dropFirst().first ?? ".")
        case let name:
            guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
                print("fuzz: list | seeds FOLDER | TARGET [libFuzzer's arguments]")
                exit(64)
            }
            exit(attack(target, Array(arguments.dropFirst())))
        }
    }

    private static func attack(_ target: FuzzTarget, _ arguments: [String]) -> Int32 {
        chosen = target
        var count = Int32(arguments.count + 1)
        let texts = [CommandLine.arguments[0]] + arguments
        let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { list[index] = strdup(text) }
        list[texts.count] = nil
        var start = list
        return runDriver(&count, &start) { bytes, count in
            chosen.run(UnsafeBufferPointer(start: bytes, count: count))
            return 0
        }
    }

    /// `FOLDER/TARGET/N` holds a seed, `FOLDER/TARGET.words` the words.
    private static func writeSeeds(to folder: String) {
        for target in FuzzTarget.all {
            mkdir("\(folder)/\(target.name)", 0o755)
            for (index, seed) in target.seeds.enumerated() { write(seed, "\(folder)/\(target.name)/seed-\(index)") }
            let words = target.words.map { "\"\(escaped($0))\"\n" }.joined()
            write(Array(words.utf8), "\(folder)/\(target.name).words")
        }
    }

    private static func escaped(_ word: String) -> String {
        word.utf8.map { byte in
            byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                ? String(Unicode.Scalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    private static func write(_ bytes: [UInt8], _ path: String) {
        guard let file = fopen(path, "w") else {
            perror(path)
            exit(1)
        }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}
