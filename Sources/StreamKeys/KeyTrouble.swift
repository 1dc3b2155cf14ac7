import AWSProtocol

/// Why a key can't be used.
enum KeyTrouble: Error, Equatable {
    case missing
    case disabled
    case unreadable

    /// As Kinesis answers it: the codes of its API, each with status 400, and KMS's words.
    /// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html (Errors)
    func answer(_ name: String, region: String, account: String) -> AWSError {
        let arn = KeyName.arn(of: name, region: region, account: account)
        return switch self {
        case .missing:
            AWSError(
                "KMSNotFoundException",
                name.hasPrefix("alias/") ? "Alias \(arn) is not found." : "Key '\(arn)' does not exist"
            )
        case .disabled: AWSError("KMSDisabledException", "\(arn) is disabled.")
        case .unreadable:
            AWSError("KMSAccessDeniedException", "The collector is not authorized to use the key on resource: \(arn)")
        }
    }
}
