import AWSProtocol
import AccessPolicy
import Testing

@testable import LeaseTable

@Suite("Who may do what with tables")
struct AuthorizationTests {
    private func caller(_ statement: String?) throws -> Caller {
        var policies: [PolicyDocument] = []
        if let statement {
            var reader = PolicyReader(.identity)
            let json = try JSONValue(parsing: #"{"Version":"2012-10-17","Statement":\#(statement)}"#.utf8)
            let document = reader.read(json)
            policies = [try #require(document, "\(reader.problems)")]
        }
        return Caller(
            principal: Principal(account: "000000000000", kind: .user("worker"), policies: policies),
            context: CallContext(sourceAddress: nil, isSecure: false, userAgent: nil, milliseconds: 0),
            region: "us-east-1"
        )
    }

    private func code(_ client: TableClient, _ caller: Caller, _ operation: String, _ json: String) async -> String? {
        do throws(AWSError) {
            _ = try await client.tables.handle(
                operation: operation,
                region: "us-east-1",
                body: Array(json.utf8),
                caller: caller
            )
            return nil
        } catch {
            return error.code
        }
    }

    private static let create =
        #""KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST""#

    @Test("every operation is refused to a caller without a policy, whether the table is there or not")
    func everything() async throws {
        let client = try await TableClient.leases()
        let nobody = try caller(nil)
        let key = #""Key":{"leaseKey":{"S":"a"}}"#
        for table in ["app", "nowhere"] {
            let name = #""TableName":"\#(table)""#
            for (operation, body) in [
                ("GetItem", "{\(name),\(key)}"), ("DeleteItem", "{\(name),\(key)}"), ("UpdateItem", "{\(name),\(key)}"),
                ("PutItem", #"{\#(name),"Item":{"leaseKey":{"S":"a"}}}"#), ("Scan", "{\(name)}"),
                (
                    "Query",
                    #"{\#(name),"KeyConditionExpression":"leaseKey = :k","ExpressionAttributeValues":{":k":{"S":"a"}}}"#
                ),
                ("CreateTable", "{\(name),\(Self.create)}"), ("DescribeTable", "{\(name)}"),
                ("UpdateTable", #"{\#(name),"BillingMode":"PAY_PER_REQUEST"}"#), ("DeleteTable", "{\(name)}"),
                ("ListTables", "{}"), ("DescribeTimeToLive", "{\(name)}"),
                (
                    "UpdateTimeToLive",
                    #"{\#(name),"TimeToLiveSpecification":{"AttributeName":"t","Enabled":true}}"#
                ),
                ("DescribeContinuousBackups", "{\(name)}"),
            ] {
                #expect(await code(client, nobody, operation, body) == "AccessDeniedException", "\(operation)")
            }
        }
    }

    @Test("a worker's policy names its table, and the table's tags count")
    func policies() async throws {
        let client = try await TableClient.leases()
        let worker = try caller(
            #"{"Effect":"Allow","Action":["dynamodb:*Item","dynamodb:Scan"],"Resource":"arn:aws:dynamodb:*:*:table/app"}"#
        )
        let put = #"{"TableName":"app","Item":{"leaseKey":{"S":"a"}}}"#
        #expect(await code(client, worker, "PutItem", put) == nil)
        #expect(await code(client, worker, "Scan", #"{"TableName":"app"}"#) == nil)
        #expect(await code(client, worker, "DeleteTable", #"{"TableName":"app"}"#) == "AccessDeniedException")
        #expect(await code(client, worker, "Scan", #"{"TableName":"app2"}"#) == "AccessDeniedException")
        let index = #"{"TableName":"app","IndexName":"byOwner"}"#
        #expect(await code(client, worker, "Scan", index) == "AccessDeniedException")

        let tagged = try caller(
            #"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceTag/env":"prod"}}}"#
        )
        let create = #"{"TableName":"prodtable",\#(Self.create),"Tags":[{"Key":"env","Value":"prod"}]}"#
        try await client.call("CreateTable", create)
        #expect(await code(client, tagged, "Scan", #"{"TableName":"prodtable"}"#) == "AccessDeniedException")
        #expect(await code(client, tagged, "Scan", #"{"TableName":"app"}"#) == nil)
        let untagging = try caller(#"{"Effect":"Allow","Action":"dynamodb:CreateTable","Resource":"*"}"#)
        let other = create.replacing("prodtable", with: "other")
        #expect(await code(client, untagging, "CreateTable", other) == "AccessDeniedException")
    }
}
