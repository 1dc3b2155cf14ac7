import AWSProtocol
import AccessPolicy
import AuditTrail
import Collector

extension AuditEvent {
    /// Requests above this size have their members left out.
    private static let sizeLimit = 100 * 1024

    /// What was asked by whom, and what became of it.
    init(
        _ service: Target.Service,
        _ request: APIRequest,
        from caller: Caller,
        _ id: RequestID,
        answer: [UInt8] = [],
        error: AWSError? = nil
    ) {
        let (principal, context) = (caller.principal, caller.context)
        self.init(
            time: context.milliseconds,
            service: service.signingName,
            operation: request.operation,
            region: request.region,
            account: principal.account,
            identity: Identity(
                type: principal.auditType,
                arn: principal.arn,
                principalID: principal.userID,
                account: principal.account,
                accessKeyID: principal.accessKeyID.isEmpty ? nil : principal.accessKeyID,
                userName: principal.userName
            ),
            sourceAddress: context.sourceAddress,
            userAgent: context.userAgent,
            requestID: id.description,
            eventID: RequestID.next().description,
            request: Self.tree(request.body, request.format),
            answer: Self.tree(answer, request.format),
            error: error
        )
    }

    /// Nil where there is nothing to show, or too much.
    private static func tree(_ body: [UInt8], _ format: WireFormat) -> JSONValue? {
        guard !body.isEmpty, body.count <= sizeLimit else { return nil }
        switch format {
        case .json: return try? JSONValue(parsing: body)
        case .cbor: return try? JSONValue(parsingCBOR: body)
        }
    }
}

extension Principal {
    /// As CloudTrail's `userIdentity` names kinds of callers.
    fileprivate var auditType: String {
        switch kind {
        case .root: "Root"
        case .user: "IAMUser"
        case .session: "AssumedRole"
        }
    }
}
