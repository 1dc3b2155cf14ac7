import AWSProtocol
import DynamoDBTypes
import LeaseTable
import Testing

@Suite("Expressions")
struct ExpressionTests {
    static let item = """
        {"leaseKey":{"S":"k"},"n":{"N":"5"},"s":{"S":"hello"},"b":{"B":"AQID"},"t":{"BOOL":true},"z":{"NULL":true},
         "ss":{"SS":["a","b"]},"l":{"L":[{"N":"1"},{"M":{"x":{"S":"deep"}}}]},"m":{"M":{"inner":{"L":[{"N":"7"}]}}}}
        """
    private static let values = """
        {":five":{"N":"5.0"},":six":{"N":"6"},":h":{"S":"h"},":hello":{"S":"hello"},":ell":{"S":"ell"},":a":{"S":"a"},
         ":t":{"BOOL":true},":z":{"NULL":true},":ss":{"SS":["b","a"]},":deep":{"S":"deep"},":seven":{"N":"7"},
         ":N":{"S":"N"},":one":{"N":"1"},":b":{"B":"AQ=="}}
        """

    private func used(_ values: String, by expression: String) throws -> String {
        let members = try JSONValue(parsing: values.utf8).members ?? []
        let used = members.filter { member in
            expression.split(whereSeparator: { !($0.isLetter || $0 == ":" || $0 == "_") }).contains {
                $0 == member.name
            }
        }
        var writer = JSONWriter()
        writer.value(.object(used))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func request(_ expression: String, _ values: String) -> String {
        let members = values == "{}" ? "" : #","ExpressionAttributeValues":\#(values)"#
        return #"{"TableName":"app","FilterExpression":"\#(expression)"\#(members)}"#
    }

    @Test(
        "a condition is decided as DynamoDB decides it",
        arguments: [
            ("n = :five", true), ("n <> :five", false), ("n < :six", true), ("n <= :five", true), ("n > :five", false),
            ("n >= :five", true), (":six > n", true), ("missing = :five", false), ("missing <> :five", true),
            ("missing < :five", false), ("n = :hello", false), ("s < :five", false), ("z = :z", true), ("t = :t", true),
            ("ss = :ss", true), ("n BETWEEN :one AND :six", true), ("n between :six and :seven", false),
            ("n IN (:one, :five)", true), ("n in(:one)", false), ("attribute_exists(n)", true),
            ("attribute_exists (missing)", false), ("attribute_not_exists(m.inner[1])", true),
            ("attribute_exists(m.inner[0])", true), ("l[1].x = :deep", true), ("m.inner[0] = :seven", true),
            ("attribute_type(n, :N)", true), ("attribute_type(s, :N)", false), ("begins_with(s, :h)", true),
            ("begins_with(s, :ell)", false), ("begins_with(b, :b)", true), ("contains(s, :ell)", true),
            ("contains(ss, :a)", true), ("contains(ss, :h)", false), ("contains(l, :one)", true),
            ("size(s) = :five", true),
            ("size(l) < :five", true), ("size(missing) = :five", false), ("NOT n = :six", true),
            ("NOT NOT n = :five", true),
            ("n = :six OR s = :hello AND t = :t", true), ("(n = :six OR s = :hello) AND n = :six", false),
            ("n = :five AND NOT (s = :h OR t = :t)", false), ("n=:five and(s=:hello)", true),
            ("not attribute_exists(n) or n = :five", true),
        ]
    )
    func conditions(_ expression: String, _ expected: Bool) async throws {
        let client = try await TableClient.leases()
        try await client.call("PutItem", #"{"TableName":"app","Item":\#(Self.item)}"#)
        let page = try await client.call("Scan", request(expression, try used(Self.values, by: expression)))
        #expect(page["Count"]?.integer == (expected ? 1 : 0))
        #expect(page["ScannedCount"]?.integer == 1)
    }

    @Test(
        "a faulty condition is refused in AWS's words",
        arguments: [
            ("", "Invalid FilterExpression: The expression can not be empty;"),
            ("n = ", #"Invalid FilterExpression: Syntax error; token: "<EOF>", near: "=""#),
            ("n == :v", #"Invalid FilterExpression: Syntax error; token: "=", near: "== :v""#),
            ("n", #"Invalid FilterExpression: Syntax error; token: "<EOF>", near: "n""#),
            ("(n = :v", #"Invalid FilterExpression: Syntax error; token: "<EOF>", near: ":v""#),
            ("n = :v)", #"Invalid FilterExpression: Syntax error; token: ")", near: ":v)""#),
            ("n ! :v", #"Invalid FilterExpression: Syntax error; token: "!", near: "n ! :v""#),
            ("AND n = :v", #"Invalid FilterExpression: Syntax error; token: "AND", near: "AND n""#),
            ("é = :v", #"Invalid FilterExpression: Syntax error; token: "é", near: "é =""#),
            ("foo(n)", "Invalid FilterExpression: Invalid function name; function: foo"),
            (
                "if_not_exists(n, :v)",
                "Invalid FilterExpression: The function is not allowed in a condition expression; function: if_not_exists"
            ),
            (
                "size(n)",
                "Invalid FilterExpression: The function is not allowed to be used this way in an expression; function: size"
            ),
            (
                "size(n, n) = :v",
                "Invalid FilterExpression: Incorrect number of operands for operator or function; "
                    + "operator or function: size, number of operands: 2"
            ),
            (
                "begins_with(n, :v)",
                "Invalid FilterExpression: Incorrect operand type for operator or function; "
                    + "operator or function: begins_with, operand type: N"
            ),
            (
                "attribute_exists(:v)",
                "Invalid FilterExpression: Operator or function requires a document path; "
                    + "operator or function: attribute_exists"
            ),
            (
                "n = :v AND #x = :v",
                "Invalid FilterExpression: An expression attribute name used in the document path is not defined; "
                    + "attribute name: #x"
            ),
            (
                "n = :w",
                "Invalid FilterExpression: An expression attribute value used in expression is not defined; "
                    + "attribute value: :w"
            ),
            (
                "attribute_exists(n)",
                "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"
            ),
            (
                "n = n",
                "Invalid FilterExpression: The first operand must be distinct from the remaining operands for this operator "
                    + "or function; operator: =, first operand: [n]"
            ),
        ]
    )
    func faults(_ expression: String, _ message: String) async throws {
        let client = try await TableClient.leases()
        let error = await client.failure("Scan", request(expression, #"{":v":{"N":"1"}}"#))
        #expect(error.code == "ValidationException")
        #expect(error.message == message)
    }

    private func update(_ expression: String, _ values: String, returning: String = "ALL_NEW") -> String {
        let members = values == "{}" ? "" : #","ExpressionAttributeValues":\#(values)"#
        return """
            {"TableName":"app","Key":{"leaseKey":{"S":"k"}},"UpdateExpression":"\(expression)","ReturnValues":"\(returning)"
             \(members)}
            """
    }

    @Test(
        "an update changes what it says",
        arguments: [
            ("SET n = n + :one", "n", #"{"N":"6"}"#), ("set n = :one - n", "n", #"{"N":"-4"}"#),
            ("SET fresh = if_not_exists(fresh, :one)", "fresh", #"{"N":"1"}"#),
            ("SET n = if_not_exists(n, :one) + :one", "n", #"{"N":"6"}"#),
            ("SET l = list_append(l, :list)", "l", #"{"L":[{"N":"1"},{"M":{"x":{"S":"deep"}}},{"S":"end"}]}"#),
            ("SET l[1].x = :one", "l", #"{"L":[{"N":"1"},{"M":{"x":{"N":"1"}}}]}"#),
            ("SET l[9] = :one", "l", #"{"L":[{"N":"1"},{"M":{"x":{"S":"deep"}}},{"N":"1"}]}"#),
            ("SET m.other = s", "m", #"{"M":{"inner":{"L":[{"N":"7"}]},"other":{"S":"hello"}}}"#),
            ("REMOVE l[0], l[1]", "l", #"{"L":[]}"#), ("REMOVE n, missing", "n", "null"),
            ("REMOVE m.inner", "m", #"{"M":{}}"#), ("ADD n :one", "n", #"{"N":"6"}"#),
            ("ADD ss :more", "ss", #"{"SS":["a","b","c"]}"#), ("ADD fresh :one", "fresh", #"{"N":"1"}"#),
            ("DELETE ss :more", "ss", #"{"SS":["a"]}"#), ("DELETE ss :both", "ss", "null"),
            ("REMOVE n SET s = :one", "s", #"{"N":"1"}"#), ("SET s = n, n = s", "s", #"{"N":"5"}"#),
        ]
    )
    func updates(_ expression: String, _ attribute: String, _ expected: String) async throws {
        let client = try await TableClient.leases()
        try await client.call("PutItem", #"{"TableName":"app","Item":\#(Self.item)}"#)
        let values =
            #"{":one":{"N":"1"},":list":{"L":[{"S":"end"}]},":more":{"SS":["b","c"]},":both":{"SS":["a","b"]}}"#
        let answer = try await client.call("UpdateItem", update(expression, try used(values, by: expression)))
        let value = try answer["Attributes"]?[attribute].map { try AttributeValue(json: $0) }
        let json = try JSONValue(parsing: expected.utf8)
        #expect(try value == (json == .null ? nil : AttributeValue(json: json)))
    }

    @Test(
        "a faulty update is refused in AWS's words and changes nothing",
        arguments: [
            ("SET n", #"Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "n""#),
            ("n = :v", #"Invalid UpdateExpression: Syntax error; token: "n", near: "n =""#),
            ("SET n = :v,", #"Invalid UpdateExpression: Syntax error; token: "<EOF>", near: ",""#),
            (
                "SET n = :v SET s = :v",
                #"Invalid UpdateExpression: The "SET" section can only be used once in an update expression;"#
            ),
            (
                "SET m = :v, m.inner = :v",
                "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these "
                    + "paths; path one: [m], path two: [m, inner]"
            ),
            (
                "SET m.a = :v, m[0] = :v",
                "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these "
                    + "paths; path one: [m, a], path two: [m, [0]]"
            ),
            (
                "SET n = size(:v)",
                "Invalid UpdateExpression: The function is not allowed in an update expression; function: size"
            ),
            (
                "DELETE n :v",
                "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, "
                    + "operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"
            ),
            ("SET n = gone + :v", "The provided expression refers to an attribute that does not exist in the item"),
            ("SET n = s + :v", "An operand in the update expression has an incorrect data type"),
            ("ADD s :v", "An operand in the update expression has an incorrect data type"),
            ("SET gone.x = :v", "The document path provided in the update expression is invalid for update"),
            (
                "SET leaseKey = :v",
                "One or more parameter values were invalid: Cannot update attribute leaseKey. "
                    + "This attribute is part of the key"
            ),
        ]
    )
    func updateFaults(_ expression: String, _ message: String) async throws {
        let client = try await TableClient.leases()
        try await client.call("PutItem", #"{"TableName":"app","Item":\#(Self.item)}"#)
        let before = try await client.lease("k")
        let error = await client.failure("UpdateItem", update(expression, #"{":v":{"N":"1"}}"#))
        #expect(error.code == "ValidationException")
        #expect(error.message == message)
        #expect(try await client.lease("k") == before)
    }

    @Test("ReturnValues shows the old or the new item, or what changed of it")
    func returnValues() async throws {
        let client = try await TableClient.leases()
        try await client.call(
            "PutItem",
            #"{"TableName":"app","Item":{"leaseKey":{"S":"k"},"n":{"N":"1"},"o":{"N":"9"}}}"#
        )
        func returned(_ kind: String) async throws -> JSONValue? {
            try await client.call("UpdateItem", update("SET n = n + :v", #"{":v":{"N":"1"}}"#, returning: kind))[
                "Attributes"
            ]
        }
        #expect(try await returned("NONE") == nil)
        #expect(try await returned("UPDATED_OLD")?["n"]?["N"] == .string("2"))
        #expect(try await returned("UPDATED_NEW")?.members?.map(\.name) == ["n"])
        #expect(try await returned("ALL_OLD")?["n"]?["N"] == .string("4"))
        #expect(try await returned("ALL_NEW")?.members?.count == 3)
        let wrong = await client.failure(
            "PutItem",
            #"{"TableName":"app","Item":{"leaseKey":{"S":"k"}},"ReturnValues":"ALL_NEW"}"#
        )
        #expect(wrong.message == "Return values set to invalid value")
    }

    @Test("names and values are checked, and never mixed with the legacy parameters")
    func namesAndValues() async throws {
        let client = try await TableClient.leases()
        let head = #"{"TableName":"app","Key":{"leaseKey":{"S":"k"}},"#
        let cases = [
            (
                #""ExpressionAttributeValues":{":v":{"N":"1"}}}"#,
                "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and "
                    + "ConditionExpression are null"
            ),
            (
                ##""ExpressionAttributeNames":{"#a":"b"}}"##,
                "ExpressionAttributeNames can only be specified when using expressions"
            ),
            (
                ##""UpdateExpression":"REMOVE a","ExpressionAttributeNames":{"#a":"b"}}"##,
                "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"
            ),
            (
                #""UpdateExpression":"REMOVE a","ExpressionAttributeNames":{"a":"b"}}"#,
                #"ExpressionAttributeNames contains invalid key: Syntax error; key: "a""#
            ),
            (
                #""UpdateExpression":"REMOVE a","ExpressionAttributeValues":{}}"#,
                "ExpressionAttributeValues must not be empty"
            ),
            (
                #""UpdateExpression":"SET a = :v","ExpressionAttributeValues":{":v":{"N":"x"}}}"#,
                "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x "
                    + "for key :v"
            ),
            (
                #""UpdateExpression":"REMOVE a","Expected":{"a":{"Exists":false}}}"#,
                "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
                    + "{Expected} Expression parameters: {UpdateExpression}"
            ),
            (
                #""Expected":{"a":{"Exists":true}}}"#,
                "One or more parameter values were invalid: Value must be provided when Exists is true for Attribute: a"
            ),
            (
                #""AttributeUpdates":{"a":{"Action":"PUT"}}}"#,
                "One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified"
            ),
        ]
        for (body, message) in cases {
            let error = await client.failure("UpdateItem", head + body)
            #expect(error.code == "ValidationException")
            #expect(error.message == message)
        }
    }

    @Test("a deeply nested expression is refused, not run into the ground")
    func depth() async throws {
        let client = try await TableClient.leases()
        for expression in [String(repeating: "(", count: 4000), String(repeating: "NOT ", count: 1000)] {
            let error = await client.failure("Scan", request(expression, "{}"))
            #expect(error.message == "Invalid FilterExpression: The expression is nested too deeply")
        }
        let long = await client.failure("Scan", request(String(repeating: "a", count: 5000), "{}"))
        #expect(long.message.contains("Expression size has exceeded the maximum allowed size"))
    }
}
