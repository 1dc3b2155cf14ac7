/// Makes a flow's checkpoints durable.
protocol CheckpointSaving: Sendable {
    /// Replaces what is saved of the flow. When it returns, this survives a power cut.
    func save(_ checkpoints: SourceCheckpoints, flow: String) throws(AgentError)
}
