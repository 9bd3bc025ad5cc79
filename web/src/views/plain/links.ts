export { create } from "../units/index.ts";
