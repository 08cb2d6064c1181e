// Written by `npm run contracts:generate` from the Solidity sources. Do not edit.
export const answerReceiverAbi = [
  {"type":"function","name":"onAnswer","inputs":[{"name":"answer","type":"tuple","internalType":"struct AnswerInfo","components":[{"name":"requestId","type":"uint256","internalType":"uint256"},{"name":"modelId","type":"bytes32","internalType":"bytes32"},{"name":"tier","type":"uint8","internalType":"uint8"},{"name":"isFinal","type":"bool","internalType":"bool"},{"name":"inputTimestamp","type":"uint40","internalType":"uint40"},{"name":"prover","type":"address","internalType":"address"}]},{"name":"output","type":"bytes","internalType":"bytes"}],"outputs":[],"stateMutability":"nonpayable"},
] as const;
