import AWSProtocol

extension FuzzTarget {
    private static let credentials = SigningCredentials(accessKeyID: "AKID", secretAccessKey: "secret")
    private static let now: Int64 = 1_795_000_000_000

    /// Signatures in the header and in the query: any request is refused or taken in AWS's errors, and what our signer signs
    /// our verifier takes. An input is lines: method, path, query, then headers.
    static let signature = FuzzTarget(
        name: "signature",
        seeds: [
            """
            POST
            /a/../b%2F
            a=b&c&=%zz+d
            host:h
            authorization:AWS4-HMAC-SHA256 Credential=AKID/20261118/us-east-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=ab
            x-amz-date:20261118T102640Z
            """,
            """
            GET
            /
            X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261118%2Fus-east-1%2Fkinesis%2Faws4_request&X-Amz-Date=20261118T102640Z&X-Amz-SignedHeaders=host&X-Amz-Signature=ab&X-Amz-Expires=60
            host:h
            """,
        ].map { Array($0.utf8) },
        words: [
            "AWS4-HMAC-SHA256", "Credential=", "SignedHeaders=", "Signature=", "aws4_request", "X-Amz-Algorithm=",
            "X-Amz-Date=",
            "X-Amz-Expires=", "X-Amz-Security-Token=", "authorization:", "x-amz-date:", "date:", "%2F", "..", "host;",
        ]
    ) { bytes in
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init
        )
        guard lines.count >= 3 else { return }
        let headers = lines[3...].compactMap { line -> (name: String, value: String)? in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
        let verifier = SigV4Verifier { $0 == credentials.accessKeyID ? credentials : nil }
        func verify(_ headers: [(name: String, value: String)]) -> AWSError? {
            do throws(AWSError) {
                let request = SigV4Verifier.Request(method: lines[0], path: lines[1], query: lines[2], headers: headers)
                _ = try verifier.verify(request, body: [1, 2], service: "kinesis", now: now)
                return nil
            } catch {
                return error
            }
        }
        require(verify(headers) != nil, "a signature that nobody made is taken")
        _ = try? SigV4Verifier.claimedIdentity(
            SigV4Verifier.Request(method: lines[0], path: lines[1], query: lines[2], headers: headers),
            service: "kinesis"
        )
        let own = [(name: "host", value: "h"), (name: "x-own", value: headers.first?.value ?? "")]
        let signed = SigV4Signer().sign(
            method: lines[0],
            path: lines[1],
            query: lines[2],
            headers: own,
            body: [1, 2] as [UInt8],
            region: "us-east-1",
            service: "kinesis",
            credentials: credentials,
            now: now
        )
        if let error = verify(own + signed) {
            require(error.message.hasPrefix("Found both"), "our own signature is refused: \(error)")
        }
    }
}
