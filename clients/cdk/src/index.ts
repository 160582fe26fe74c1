export type { WaitpointsOutputs, WaitpointsProps } from "./release";
export { Waitpoints } from "./waitpoints";
