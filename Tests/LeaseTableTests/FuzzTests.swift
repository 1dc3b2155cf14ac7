import AWSProtocol
import DynamoDBTypes
import LeaseTable
import Testing

@Suite("Random expressions")
struct FuzzTests {
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let words = [
        "a", "b", "l", "m", "#n", "#missing", ":v", ":s", ":missing", "=", "<>", "<", "<=", ">", ">=", "+", "-", ",",
        "(", ")",
        "[", "]", "0", "1", "99999999999999999999", ".", "AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD",
        "DELETE",
        "attribute_exists(", "attribute_not_exists(", "attribute_type(", "begins_with(", "contains(", "size(",
        "if_not_exists(", "list_append(", "é", "\u{0}", "!", "#", ":", "\u{1F600}",
    ]

    private static func text(_ dice: inout Dice) -> String {
        (0..<Int.random(in: 0...14, using: &dice)).map { _ in words.randomElement(using: &dice) ?? "" }
            .joined(separator: Bool.random(using: &dice) ? " " : "")
    }

    private static func body(_ members: [JSONValue.Member]) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(.object(members))
        return writer.bytes
    }

    @Test("never crash, and fail with a ValidationException or not at all", arguments: [1, 2, 3, 4])
    func random(_ seed: UInt64) async throws {
        var dice = Dice(state: seed)
        let client = try await TableClient.leases()
        let names = JSONValue.object([.init("#n", .string("n"))])
        let values = JSONValue.object([
            .init(":v", .object([.init("N", .string("1"))])),
            .init(":s", .object([.init("SS", .array([.string("x")]))])),
        ])
        let item = try JSONValue(
            parsing: #"{"leaseKey":{"S":"k"},"a":{"N":"1"},"l":{"L":[{"N":"1"}]},"m":{"M":{"b":{"S":"x"}}}}"#.utf8
        )
        for round in 0..<3000 {
            let expression = JSONValue.string(Self.text(&dice))
            var members: [JSONValue.Member] = [.init("TableName", .string("app"))]
            let operation: String
            if round % 2 == 0 {
                operation = "Scan"
                members.append(.init("FilterExpression", expression))
            } else {
                operation = "UpdateItem"
                members.append(.init("Key", .object([.init("leaseKey", .object([.init("S", .string("k"))]))])))
                members.append(.init("UpdateExpression", expression))
            }
            if case .string(let text) = expression {
                if text.contains("#n") { members.append(.init("ExpressionAttributeNames", names)) }
                if text.contains(":") { members.append(.init("ExpressionAttributeValues", values)) }
            }
            try await client.call(
                "PutItem",
                String(decoding: Self.body([.init("TableName", .string("app")), .init("Item", item)]), as: UTF8.self)
            )
            do {
                try await client.call(operation, String(decoding: Self.body(members), as: UTF8.self))
            } catch let error as AWSError {
                #expect(error.code == "ValidationException", "seed \(seed), round \(round): \(expression): \(error)")
            }
        }
    }

    /// Sentences of the grammar itself, which must all be accepted.
    private static func condition(_ dice: inout Dice, _ depth: Int) -> String {
        let operands = ["a", "l[0]", "m.b", ":v", "size(l)"]
        func operand(_ dice: inout Dice) -> String { operands.randomElement(using: &dice) ?? "a" }
        switch Int.random(in: 0..<(depth > 0 ? 9 : 5), using: &dice) {
        case 0: return "attribute_exists(m.b)"
        case 1: return "a IN (\(operand(&dice)), :v)"
        case 2: return "\(operand(&dice)) BETWEEN :v AND size(m)"
        case 3: return "contains(l, :v)"
        case 4: return "gone \(["=", "<>", "<", ">="].randomElement(using: &dice) ?? "=") \(operand(&dice))"
        case 5: return "NOT \(condition(&dice, depth - 1))"
        case 6: return "(\(condition(&dice, depth - 1)))"
        case 7: return "\(condition(&dice, depth - 1)) AND \(condition(&dice, depth - 1))"
        default: return "\(condition(&dice, depth - 1)) or \(condition(&dice, depth - 1))"
        }
    }

    @Test("that follow the grammar are accepted, and a negation turns the answer around", arguments: [1, 2, 3])
    func sentences(_ seed: UInt64) async throws {
        var dice = Dice(state: seed)
        let client = try await TableClient.leases()
        try await client.call(
            "PutItem",
            #"{"TableName":"app","Item":{"leaseKey":{"S":"k"},"a":{"N":"1"},"l":{"L":[{"N":"1"}]},"m":{"M":{"b":{"S":"x"}}}}}"#
        )
        for _ in 0..<400 {
            let expression = Self.condition(&dice, 4)
            func count(_ text: String) async throws -> Int64 {
                let values = text.contains(":v") ? #","ExpressionAttributeValues":{":v":{"N":"1"}}"# : ""
                let page = try await client.call(
                    "Scan",
                    #"{"TableName":"app","FilterExpression":"\#(text)"\#(values)}"#
                )
                return page["Count"]?.integer ?? -1
            }
            let plain = try await count(expression)
            let negated = try await count("NOT (\(expression))")
            #expect(plain + negated == 1, "seed \(seed): \(expression)")
        }
    }
}
