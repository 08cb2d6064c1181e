// Loaded before a process's own code (`node --import`): its wall clock is wrong by as many milliseconds as a file says, from one moment to
// the next. The clock that only goes forward (performance.now, timers) is left alone, as it is where a real clock is set.
import { readFileSync } from 'node:fs';

const file = process.env.ASSAY_TEST_CLOCK ?? '';
const RealDate = Date;
let offset = 0;

function look() {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}

look();
setInterval(look, 200).unref();
const now = () => RealDate.now() + offset;
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
