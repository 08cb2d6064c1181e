import { afterEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { execute } from '../../core/execute.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { allocate, type TypedArray } from '../../core/tensor.ts';
import { inputForms } from '../../core/tensor-list.ts';
import { openPool } from '../../prover/models/sessions.ts';
import type { ModelSession } from '../../runtime/session.ts';
import { openThreadedModel } from '../../runtime/threaded-session.ts';
import { resnet8 } from '../support/networks.ts';
import { Random } from '../support/random.ts';

const program = resnet8(new Random(8));
const file = encodeProgram(program);
const opened: ModelSession[] = [];

afterEach(async () => {
  for (const session of opened.splice(0)) await session.close();
});

function keep<Session extends ModelSession>(session: Session): Session {
  opened.push(session);
  return session;
}

function inputOf(seed: number, of: Program = program): TypedArray[] {
  const r = new Random(seed);
  return inputForms(of).map(({ type, length }) => {
    const values = allocate(type, length);
    for (let i = 0; i < length; i++) values[i] = r.integer(0, 255);
    return values;
  });
}

/** A session that does as told, for what a real one does only when a machine fails. */
function told(run: (inputs: readonly TypedArray[]) => Promise<TypedArray[]>, onClose = (): void => undefined): ModelSession {
  return { program, run, trace: run, close: async () => onClose() };
}

describe('a model on threads of their own', () => {
  it('computes what the reference computes, outputs and traces, many at once', async () => {
    const session = keep(await openPool(file, { sessions: 2, inline: 0 }));
    const inputs = Array.from({ length: 6 }, (_, i) => inputOf(i));
    const expected = inputs.map((values) => execute(program, values));
    const [outputs, traces] = await Promise.all([
      Promise.all(inputs.map((values) => session.run(values))),
      Promise.all(inputs.slice(0, 2).map((values) => session.trace(values))),
    ]);
    expect(outputs).toEqual(expected.map((tensors) => tensors.slice(-1)));
    expect(traces).toEqual(expected.slice(0, 2));
  });

  it('leaves the process to its other work meanwhile', async () => {
    const session = keep(await openThreadedModel(file));
    await session.run(inputOf(1));
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await session.run(inputOf(2));
    isDone = true;
    // On the caller's own thread it is a handful, however long the run takes.
    expect(turns).toBeGreaterThan(20);
  });

  it('tells errors of the model as they are', async () => {
    const session = keep(await openPool(file, { inline: 0 }));
    const reason = (error: unknown): unknown => (error instanceof AssayError ? error.code : error);
    const inline = keep(await openPool(file, { inline: Number.POSITIVE_INFINITY }));
    const wrong = [new Uint8Array(3)];
    const expected = await inline.run(wrong).catch(reason);
    expect(expected).toMatch(/^[A-Z_]+$/);
    expect(await session.run(wrong).catch(reason)).toBe(expected);
    expect(await session.run(inputOf(3))).toEqual(execute(program, inputOf(3)).slice(-1));
    await expect(openPool(file.subarray(0, 100), { inline: 0 })).rejects.toMatchObject({ code: 'PROGRAM_MALFORMED' });
  });

  it('stays on the thread of its caller when it is quick', async () => {
    let threads = 0;
    const open = (source: Uint8Array): Promise<ModelSession> => {
      threads++;
      return openThreadedModel(source);
    };
    keep(await openPool(file, { sessions: 3, inline: Number.POSITIVE_INFINITY, open }));
    expect(threads).toBe(0);
    keep(await openPool(file, { sessions: 3, inline: 0, open }));
    expect(threads).toBe(3);
  });
});

describe('a pool of sessions', () => {
  it('runs as many at a time as it has, in order of arrival', async () => {
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const open = async (): Promise<ModelSession> =>
      told(async (inputs) => {
        most = Math.max(most, ++running);
        order.push(inputs[0]![0]!);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
        return [...inputs];
      });
    const session = keep(await openPool(file, { sessions: 2, inline: 0, open }));
    order.length = 0;
    await Promise.all(Array.from({ length: 10 }, (_, i) => session.run([Uint8Array.of(i)])));
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(most).toBe(2);
  });

  it('traces before it runs what came earlier: a demand does not wait behind questions', async () => {
    const order: string[] = [];
    const held: (() => void)[] = [];
    const slow = (what: string) => async (inputs: readonly TypedArray[]) => {
      order.push(`${what} ${inputs[0]![0]}`);
      if (held.length === 0) await new Promise<void>((resolve) => held.push(resolve));
      return [];
    };
    let isWarm = false;
    const open = async (): Promise<ModelSession> => ({
      program,
      run: (inputs) => (isWarm ? slow('run')(inputs) : Promise.resolve([])),
      trace: slow('trace'),
      close: async () => {},
    });
    const session = keep(await openPool(file, { sessions: 1, inline: 0, open }));
    isWarm = true;
    const input = (i: number): TypedArray[] => [new Uint8Array([i])];
    const all = [session.run(input(0)), session.run(input(1)), session.trace(input(2)), session.run(input(3)), session.trace(input(4))];
    await expect.poll(() => held.length).toBe(1);
    held[0]!();
    await Promise.all(all);
    expect(order).toEqual(['run 0', 'trace 2', 'trace 4', 'run 1', 'run 3']);
  });

  it('replaces a session whose thread ended, and no other', async () => {
    const ended = new AssayError('The thread that runs a model has ended', { code: 'RUNTIME_THREAD' });
    let count = 0;
    const open = async (): Promise<ModelSession> => {
      const number = ++count;
      return told(async (inputs) => {
        if (inputs[0]![0] === 66) throw new AssayError('not like this', { code: 'INPUT_SHAPE' });
        if (number === 1 && inputs[0]![0] === 77) throw ended;
        return [...inputs];
      });
    };
    const session = keep(await openPool(file, { inline: 0, open }));
    await expect(session.run([Uint8Array.of(66)])).rejects.toMatchObject({ code: 'INPUT_SHAPE' });
    expect(count).toBe(1);
    await expect(session.run([Uint8Array.of(77)])).rejects.toBe(ended);
    expect(await session.run([Uint8Array.of(77)])).toEqual([Uint8Array.of(77)]);
    expect(count).toBe(2);
  });

  it('lets what runs end when it is closed, refuses the rest, and closes all when one cannot be opened', async () => {
    let closed = 0;
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isWarm = false;
    const open = async (): Promise<ModelSession> =>
      told(
        async (inputs) => {
          if (isWarm) await gate;
          return [...inputs];
        },
        () => void closed++,
      );
    const session = await openPool(file, { inline: 0, open });
    isWarm = true;
    const [running, waiting] = [session.run([Uint8Array.of(1)]), session.run([Uint8Array.of(2)])];
    const refused = expect(waiting).rejects.toMatchObject({ code: 'SERVICE_CLOSED' });
    const closing = session.close();
    release();
    expect(await running).toEqual([Uint8Array.of(1)]);
    await refused;
    await closing;
    expect(closed).toBe(1);
    await expect(session.run([Uint8Array.of(3)])).rejects.toMatchObject({ code: 'SERVICE_CLOSED' });
    isWarm = false;
    let number = 0;
    const second = openPool(file, {
      inline: 0,
      sessions: 3,
      open: () => (++number === 2 ? Promise.reject(new AssayError('no memory', { code: 'RUNTIME_LOAD' })) : open()),
    });
    await expect(second).rejects.toMatchObject({ code: 'RUNTIME_LOAD' });
    expect(closed).toBe(3);
  });
});
