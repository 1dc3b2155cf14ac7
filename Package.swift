// swift-tools-version: 6.2
import PackageDescription

// Targets stand in layers; an import goes only downwards. `LayerTests` reads the imports against the same table.

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

/// For what a put does hundreds of times, in each of its parts. Tests check at each access that it is the only one; to do that in
/// the programs, too, took 1.5 % of their time with 1,000 active shards.
let hot: [SwiftSetting] = strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

func library(
    _ name: String,
    _ dependencies: [Target.Dependency] = [],
    _ settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies + [arguments, logging], swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], besides files: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: files, swiftSettings: strict)
}

let package = Package(
    name: "millrace",
    products: [
        .library(name: "AWSClient", targets: ["AWSClient"]),
        .library(name: "Consumer", targets: ["Consumer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // 0
        library("StreamModel"),
        library("AWSProtocol", [crypto, "CChecksums"]),
        library("DiskIO", ["CPOSIX"]),
        .target(name: "CPOSIX"),
        .target(name: "CSystemd", linkerSettings: [.linkedLibrary("systemd")]),
        .target(name: "CChecksums", linkerSettings: [.linkedLibrary("z")]),
        .target(name: "CZlib", linkerSettings: [.linkedLibrary("z")]),
        // 1
        library("KinesisTypes", ["AWSProtocol", "StreamModel"]),
        library("FirehoseTypes", ["AWSProtocol", "StreamModel"]),
        library("DynamoDBTypes", ["AWSProtocol"]),
        library("RecordBatch", ["ShardLog", "CChecksums", crypto]),
        library("ConfigurationFile", ["AWSProtocol"]),
        library("AccessPolicy", ["AWSProtocol"]),  // AWS policy documents and their judgement
        library("ShardLog"),  // with its in-memory engine
        library("StateStore"),  // with its in-memory engine
        // 2
        library("EmbeddedLog", ["ShardLog", "RecordBatch", "CChecksums", "DiskIO", logging], hot),
        library("EmbeddedState", ["StateStore", grdb]),
        library(
            "StreamKeys",
            ["RecordBatch", "AWSProtocol", "ConfigurationFile", "DiskIO", "CChecksums", logging]
        ),
        library("LeaseTable", ["DynamoDBTypes", "StateStore", "AWSProtocol", "AccessPolicy"]),
        library(
            "AWSClient",
            ["AWSProtocol", "DynamoDBTypes", "CChecksums", httpClient, nio, nioHTTP1, nioSSL, logging]
        ),
        library("FileTail"),
        library("JournalTail", ["CSystemd"]),
        library("SinkFiles", ["DiskIO"]),
        library("AuditTrail", ["AWSProtocol", "DiskIO", logging]),
        // 3
        library(
            "Collector",
            [
                "StreamModel", "AWSProtocol", "AccessPolicy", "KinesisTypes", "FirehoseTypes", "RecordBatch",
                "ShardLog",
                "StateStore", "StreamKeys", "CChecksums", crypto, logging,
            ]
        ),
        library(
            "Delivery",
            [
                "Collector", "SinkFiles", "FirehoseTypes", "StateStore", "ShardLog", "StreamModel", "AWSProtocol",
                "AccessPolicy", "RecordBatch", "StreamKeys", logging,
            ]
        ),
        library(
            "Agent",
            [
                "AWSClient", "AWSProtocol", "ConfigurationFile", "DiskIO", "FileTail", "JournalTail", "StreamModel",
                "CChecksums", grdb, crypto, logging,
            ]
        ),
        library(
            "Consumer",
            ["AWSClient", "AWSProtocol", "KinesisTypes", "DynamoDBTypes", "SinkFiles", "StreamModel", logging]
        ),
        // 4
        library(
            "CollectorServer",
            [
                "Collector", "Delivery", "LeaseTable", "AuditTrail", "AWSProtocol", "AccessPolicy", "ConfigurationFile",
                "CZlib", crypto, nio, nioPosix, nioTLS, nioHTTP1, nioHTTP2, nioSSL, logging,
            ]
        ),
        // 5
        program(
            "millrace-collector",
            [
                "CollectorServer", "Collector", "Delivery", "DiskIO", "LeaseTable", "EmbeddedLog", "EmbeddedState",
                "StreamKeys",
                "AuditTrail", "AWSProtocol", "ConfigurationFile", "StreamModel", "CPOSIX", "CSystemd", lifecycle,
                unixSignals,
            ]
        ),
        program("millrace-agent", ["Agent", "AWSClient", "ConfigurationFile", "CSystemd", lifecycle, unixSignals]),
        program("millrace-worker", ["Consumer", "AWSClient", lifecycle, unixSignals]),
        program("millrace", ["AWSClient", "AWSProtocol", "DiskIO", "EmbeddedLog"]),
        // measures; run by hand
        .executableTarget(
            name: "encryption-bench",
            dependencies: ["CPOSIX", "RecordBatch"],
            path: "Tests/Bench/encryption",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "catch-up-bench",
            dependencies: ["DiskIO", "EmbeddedLog", "RecordBatch", "ShardLog", logging],
            path: "Tests/Bench/catchup",
            swiftSettings: strict
        ),
        // tests
        tests("DiskIOTests", ["DiskIO"]),
        tests("AWSProtocolTests", ["AWSProtocol"]),
        tests("AccessPolicyTests", ["AccessPolicy", "AWSProtocol"]),
        tests("AWSClientTests", ["AWSClient", "AWSProtocol", nio, nioPosix, nioHTTP1, logging]),
        tests("StreamModelTests", ["StreamModel"]),
        tests("RecordBatchTests", ["RecordBatch", "CChecksums", crypto]),
        tests("StreamKeysTests", ["StreamKeys", "RecordBatch", "AWSProtocol", logging]),
        tests("ShardLogTests", ["ShardLog", "EmbeddedLog", "RecordBatch", "DiskIO", "CChecksums"]),
        tests("StateStoreTests", ["StateStore", "EmbeddedState"]),
        tests("LeaseTableTests", ["LeaseTable", "AccessPolicy", "StateStore", "DynamoDBTypes", "AWSProtocol"]),
        tests("FileTailTests", ["FileTail"]),
        tests("JournalTailTests", ["JournalTail"], besides: ["journald-in-namespace.sh"]),
        tests("SinkFilesTests", ["SinkFiles"]),
        tests("AuditTrailTests", ["AuditTrail", "AWSProtocol", logging]),
        tests("AgentTests", ["Agent", "ConfigurationFile"]),
        tests("ConsumerTests", ["Consumer"]),
        tests(
            "CollectorTests",
            [
                "Collector", "AccessPolicy", "AWSProtocol", "StreamModel", "StateStore", "ShardLog", "EmbeddedLog",
                "KinesisTypes", "RecordBatch", "StreamKeys",
            ]
        ),
        tests(
            "DeliveryTests",
            [
                "Delivery", "AccessPolicy", "Collector", "StateStore", "ShardLog", "RecordBatch", "SinkFiles",
                "AWSProtocol", "StreamKeys",
            ]
        ),
        tests("AccessFilesTests", ["CollectorServer", "AccessPolicy", "AWSProtocol", "ConfigurationFile", logging]),
        tests(
            "CollectorServerTests",
            ["CollectorServer", "Collector", "AWSProtocol", nio, nioPosix, nioHTTP1, nioHTTP2, nioSSL, logging]
        ),
        tests("LayerTests", []),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer's targets: Tests/Fuzz/run.sh builds them, with flags that no other build has.
if Context.environment["MILLRACE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "AWSProtocol", "AccessPolicy", "CChecksums", "Collector", "DynamoDBTypes", "FirehoseTypes",
                "KinesisTypes",
                "RecordBatch",
                "ShardLog", "StreamKeys", "StreamModel", crypto, logging,
            ],
            path: "Tests/Fuzz",
            exclude: ["run.sh"],
            swiftSettings: strict
        )
    )
}
