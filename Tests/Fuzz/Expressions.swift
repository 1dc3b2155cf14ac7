import AWSProtocol
import DynamoDBTypes

extension FuzzTarget {
    private static let attributes = #"""
        {"ExpressionAttributeNames":{"#a":"a","#b":"b"},"ExpressionAttributeValues":{":n":{"N":"5"},":s":{"S":"x"},
         ":l":{"L":[{"N":"1"}]},":b":{"BOOL":true}}}
        """#

    /// DynamoDB's expressions: read, or refused with a `ValidationException`. An input's first byte chooses the kind.
    static let expression = FuzzTarget(
        name: "expression",
        seeds: [
            "C#a = :n AND NOT (b.c[0] <> :s OR attribute_exists(#b)) AND size(x) BETWEEN :n AND :n",
            "Ca IN (:n, :s) AND begins_with(a, :s) AND contains(l, :n) AND attribute_type(a, :s)",
            "USET #a = if_not_exists(#a, :n) + :n, b.c[1] = list_append(b.c, :l) REMOVE x, y[2] ADD n :n DELETE s :s",
            "Pa, b.c[0], #a.#b",
        ].map { Array($0.utf8) },
        words: [
            "AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE", "if_not_exists", "list_append",
            "size",
            "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", ":n", ":s", "#a",
            "[0]", "<>",
        ]
    ) { bytes in
        guard let kind = bytes.first else { return }
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        do throws(AWSError) {
            let body = try RequestReader(body: Array(attributes.utf8))
            var names = try ExpressionNames(body: body, expressions: [("ConditionExpression", true)])
            switch kind {
            case UInt8(ascii: "U"):
                let update = try Update(parsing: text, names: &names)
                require(!update.actions.isEmpty, "an update that does nothing")
            case UInt8(ascii: "P"): _ = try Projection(parsing: text, names: &names).apply(to: [:])
            default: _ = try Condition(parsing: text, kind: "ConditionExpression", names: &names)
            }
            try? names.checkAllUsed()
        } catch {
            require(error.code == "ValidationException", "refused with \(error.code)")
        }
    }
}
