import AWSProtocol

/// Whether bytes are a structure or a list at all. AWS looks at that before it looks at who sent them. Only what is refused
/// anyway is looked at here: a request that is carried out is read once, by its operation.
public enum BodySyntax {
    /// In one pass and without a tree, to the last byte.
    public static func isSound(_ body: [UInt8], _ format: WireFormat) -> Bool {
        body.withUnsafeBufferPointer { bytes in
            switch format {
            case .json: isSound(JSONPutScanner(bytes))
            case .cbor: isSound(CBORPutScanner(bytes))
            }
        }
    }

    private static func isSound(_ scanner: consuming some PutScanner) -> Bool {
        do throws(AWSError) {
            guard try scanner.isAtContainer() else { return false }
            try scanner.skip()
            try scanner.end()
            return true
        } catch {
            return false
        }
    }
}
