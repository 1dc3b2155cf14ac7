import ArgumentParser
import DiskIO
import EmbeddedLog

/// Looks through a stopped collector's records.
struct CheckStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verifies every record of a stopped collector, and changes nothing.",
        discussion: """
            Reads the whole log below DIR, the collector's --data-dir, verifies all checksums and the order of frames, and \
            names what is wrong with file and offset. Notes are what a crash leaves: the next start puts them right. \
            Damage means records that are lost. Ends with 0 without damage, with 1 otherwise.
            """
    )

    @Argument(help: "The collector's --data-dir.", completion: .directory)
    var dir: String

    @Option(help: "table for people, json for programs: one object a line.")
    var output: OutputForm = .table

    func run() async throws {
        let summary: StoreCheck.Summary
        do {
            summary = try StoreCheck.run(directory: dir + "/log") { finding in tell(finding) }
        } catch let error as DiskError where error.isMissing {
            throw Problem(
                description: "\(dir) holds no log (\(error.path)): name a collector's --data-dir",
                exitCode: 64
            )
        } catch let error as DiskError {
            throw Problem(description: error.description)
        } catch let error as EmbeddedLog.InUse {
            throw Problem(description: error.description)
        }
        tell(summary)
        if summary.damage > 0 { throw ExitCode(1) }
    }

    private func tell(_ finding: StoreCheck.Finding) {
        if output == .table {
            let place = finding.offset.map { ":\($0)" } ?? ""
            return Output.line("\(finding.kind.rawValue): \(finding.path)\(place): \(finding.what)")
        }
        Output.json { json in
            json.name("kind")
            json.string(finding.kind.rawValue)
            json.name("path")
            json.string(finding.path)
            if let offset = finding.offset {
                json.name("offset")
                json.integer(Int(offset))
            }
            json.name("what")
            json.string(finding.what)
        }
    }

    private func tell(_ summary: StoreCheck.Summary) {
        let numbers = [
            ("shards", summary.shards), ("segments", summary.segments), ("frames", summary.frames),
            ("records", summary.records), ("bytes", Int(summary.bytes)), ("journalGroups", summary.journalGroups),
            ("notes", summary.notes), ("damage", summary.damage),
        ]
        if output == .table {
            let verdict = summary.damage == 0 ? "no damage" : "DAMAGE in \(summary.damage) places"
            return Output.line(
                "\(summary.shards) shards, \(summary.segments) segments, \(summary.frames) frames, "
                    + "\(summary.records) records, \(summary.bytes) bytes, \(summary.journalGroups) groups in the journal: "
                    + verdict
            )
        }
        Output.json { json in
            for (name, number) in numbers {
                json.name(escaping: name)
                json.integer(number)
            }
        }
    }
}
