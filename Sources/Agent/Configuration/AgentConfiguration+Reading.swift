import AWSClient
import AWSProtocol
import ConfigurationFile

extension AgentConfiguration {
    /// Reads the top level.
    mutating func read(_ members: [JSONValue.Member], _ findings: ConfigurationFindings) {
        var keys = KeyReader(members, at: "", offset: 0, findings)
        readPlaces(&keys)
        readCredentials(&keys)
        if let days = keys.integer("checkpointTimeToLiveDays", in: 1...36_500) {
            checkpointTimeToLive = .seconds(days * 86_400)
        }
        if let time = keys.integer("shutdownTimeoutMillis", in: 0...3_600_000) { shutdownTimeout = .milliseconds(time) }
        if let period = keys.integer("log.statusReportingPeriodSeconds", in: 1...86_400) {
            statusPeriod = .seconds(period)
        }
        Self.ignoreForeignKeys(&keys)
        readFlows(&keys)
        keys.finish()
    }

    private mutating func readPlaces(_ keys: inout KeyReader) {
        let folder = keys.text("stateDirectory")
        let file = keys.text("checkpointFile")
        for (key, path) in [("stateDirectory", folder), ("checkpointFile", file)] {
            if let path, !path.hasPrefix("/") { keys.problem(key, "found \"\(path)\", expected an absolute path") }
        }
        if let folder {
            stateDirectory = folder
        } else if let file, let slash = file.lastIndex(of: "/"), slash > file.startIndex {
            stateDirectory = String(file[..<slash])
        }
        kinesisEndpoint = Self.url(keys.text("kinesis.endpoint")) { keys.problem("kinesis.endpoint", $0) }
        firehoseEndpoint = Self.url(keys.text("firehose.endpoint")) { keys.problem("firehose.endpoint", $0) }
        let kinesisRegion = keys.text("kinesis.region")
        region = keys.text("region") ?? kinesisRegion
        if let region, let kinesisRegion, region != kinesisRegion {
            keys.problem(
                "kinesis.region",
                "found \"\(kinesisRegion)\", but region is \"\(region)\"; keep region alone"
            )
        }
    }

    /// An endpoint as a URL. Amazon's agent takes a host name too; then it is https.
    private static func url(_ text: String?, _ problem: (String) -> Void) -> String? {
        guard let text else { return nil }
        let url = text.hasPrefix("http://") || text.hasPrefix("https://") ? text : "https://" + text
        do throws(AWSClientError) {
            try AWSConfiguration.validate(endpointURL: url)
        } catch {
            problem("found \"\(text)\", expected a URL such as http://127.0.0.1:4567, or a host name")
        }
        return url
    }

    private mutating func readCredentials(_ keys: inout KeyReader) {
        let (id, secret) = (keys.text("awsAccessKeyId"), keys.text("awsSecretAccessKey"))
        switch (id, secret) {
        case (let id?, let secret?): accessKeys = AccessKeys(id: id, secret: secret)
        case (nil, nil): break
        case (_?, nil): keys.problem("awsAccessKeyId", "stands alone; add awsSecretAccessKey, or remove it")
        case (nil, _?): keys.problem("awsSecretAccessKey", "stands alone; add awsAccessKeyId, or remove it")
        }
        keys.refuse(
            ["assumeRoleARN", "assumeRoleExternalId"],
            because: "roles are not assumed yet; remove the key, and give the agent the role's credentials through the "
                + "AWS environment variables or files"
        )
    }

    private static func ignoreForeignKeys(_ keys: inout KeyReader) {
        keys.ignore(
            ["cloudwatch.emitMetrics", "cloudwatch.endpoint", "cloudwatch.metricsBufferTimeMillis"]
                + ["cloudwatch.metricsQueueSize", "cloudwatch.namespace", "cloudwatch.tagInstance"]
                + ["log.emitInternalMetrics", "log.emitMetrics"],
            because: "this agent sends nothing to CloudWatch; `millrace-agent status` shows its counters"
        )
        keys.ignore(
            ["userDefinedCredentialsProvider.classname", "userDefinedCredentialsProvider.location"],
            because: "this agent loads no Java classes; credentials come from the AWS environment variables and files"
        )
        keys.ignore(
            ["maxSendingThreads", "maxSendingThreadsPerCore", "sendingThreadsKeepAliveMillis"]
                + ["sendingThreadsMaxQueueSize", "maxConnections", "connectionTTLMillis", "connectionTimeoutMillis"]
                + ["socketTimeoutMillis", "useHttpGzip", "useTcpKeepAlive"],
            because: "each flow has one request under way, and its order is kept by that"
        )
        keys.ignore(
            ["checkpoints.connectionTimeoutSeconds", "checkpoints.queryTimeoutSeconds"],
            because: "checkpoints are kept in another way here"
        )
        keys.ignore(["sts.endpoint"], because: "roles are not assumed")
        keys.ignore(["userAgent", "userAgentOverride"], because: "requests name this program")
        keys.ignore(
            ["log.file", "log.level"],
            because: "the log goes to standard error; MILLRACE_LOG_LEVEL sets its level"
        )
    }

    private mutating func readFlows(_ keys: inout KeyReader) {
        guard let member = keys.member("flows") else {
            keys.problem("flows", "is missing; expected a list with at least one flow")
            return
        }
        guard let elements = member.value.array, !elements.isEmpty else {
            let found = member.value.array == nil ? member.value.kind : "an empty list"
            keys.problem("flows", "found \(found), expected a list with at least one flow")
            return
        }
        var offsets: [String: Int] = [:]
        for (index, element) in elements.enumerated() {
            let path = "flows[\(index)]"
            guard let members = element.members else {
                keys.findings.problem(at: member.offset, path, "found \(element.kind), expected an object in braces")
                continue
            }
            var flowKeys = KeyReader(members, at: path, offset: member.offset, keys.findings)
            guard let flow = FlowConfiguration(&flowKeys) else { continue }
            if let first = offsets[flow.id] {
                flowKeys.problem(
                    "reads the same into the same stream as the flow on line \(keys.findings.text.line(of: first)); "
                        + "remove one of them"
                )
            }
            offsets[flow.id] = flowKeys.offset
            flows.append(flow)
        }
        for index in flows.indices {
            guard case .files(var files) = flows[index].input else { continue }
            files.rememberMissing = checkpointTimeToLive
            flows[index].input = .files(files)
        }
    }

    /// Lets the environment override the file.
    mutating func override(_ environment: [String: String], _ findings: ConfigurationFindings) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let folder = value("MILLRACE_STATE_DIR") { stateDirectory = folder }
        if let region = value("MILLRACE_REGION") { self.region = region }
        for (name, key) in [
            ("MILLRACE_KINESIS_ENDPOINT", \AgentConfiguration.kinesisEndpoint),
            ("MILLRACE_FIREHOSE_ENDPOINT", \.firehoseEndpoint),
        ] {
            guard let text = value(name) else { continue }
            self[keyPath: key] = Self.url(text) {
                findings.problem(at: nil, "the environment variable \(name)", $0)
            }
        }
    }
}
