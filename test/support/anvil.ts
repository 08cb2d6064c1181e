export { type Anvil, type AnvilOptions, anvilBinary, startAnvil } from '../../runtime/anvil.ts';
