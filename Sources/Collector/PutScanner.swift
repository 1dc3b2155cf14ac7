import AWSProtocol

/// Moves over a request's bytes from value to value, in one pass and without a tree. What it passes is checked to the last
/// byte, also where nobody asked for it.
///
/// A value is taken by the call for the type that the operation has there. Another type in its place throws
/// `SerializationException` in AWS's words; null, and its like in CBOR, counts as absent.
protocol PutScanner {
    /// What is known of a structure or a list that is being read.
    associatedtype Scope

    init(_ bytes: UnsafeBufferPointer<UInt8>)

    /// Strings that can't be used as they stand in the body.
    var copies: [UInt8] { get }

    /// Enters a structure; nil where null stands in its place.
    mutating func structure() throws(AWSError) -> Scope?
    /// The next member of a structure; nil when it has no more, and is left.
    mutating func member(_ scope: inout Scope) throws(AWSError) -> PutMember?
    /// Enters a list; nil where null stands in its place.
    mutating func list() throws(AWSError) -> Scope?
    /// Whether a list has one more element; when not, it is left.
    mutating func element(_ scope: inout Scope) throws(AWSError) -> Bool
    mutating func string() throws(AWSError) -> PutText
    mutating func blob() throws(AWSError) -> PutText
    mutating func truth() throws(AWSError) -> Bool?
    /// Whether a structure or a list comes next; nothing is passed.
    func isAtContainer() throws(AWSError) -> Bool
    /// Steps over any value.
    mutating func skip() throws(AWSError)
    /// Throws unless the whole body was read.
    mutating func end() throws(AWSError)
}

/// Containers in each other that are read at most; the trees of control requests have the same bound.
let putDepthLimit = 128

/// AWS's words for values of a wrong type.
enum PutMismatch {
    static let list = AWSError.serialization("Start of list found where not expected")
    static let structure = AWSError.serialization("Start of structure or map found where not expected.")
    static let scalarForList = AWSError.serialization("Expected list or null")
    static let scalarForStructure = AWSError.serialization("Expected null")

    /// The Java class that AWS's reader makes of a value.
    enum Scalar: String {
        case boolean = "java.lang.Boolean"
        case number = "com.amazon.coral.value.json.numbers.TruncatingBigNumber"
        case string = "java.lang.String"
        case blob = "java.nio.HeapByteBuffer"
    }

    /// `type` is the wanted one with its article.
    static func scalar(_ found: Scalar, for type: String) -> AWSError {
        .serialization("class \(found.rawValue) can not be converted to \(type)")
    }

    /// A boolean is wanted; AWS shows the text in capitals.
    static func text(_ text: String) -> AWSError {
        .serialization("'\(text.uppercased())' can not be converted to an Boolean")
    }
}
