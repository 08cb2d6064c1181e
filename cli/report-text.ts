import type { CompileReport } from '../core/quantize/report.ts';
import type { Inspection } from './inspection.ts';
import { bytes, count, facts, percent, seconds, table } from './text.ts';

type Lines = readonly (readonly [name: string, value: string] | undefined)[];

function counted(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  return entries.map(([name, times]) => (times === 1 ? name : `${name} ×${times}`)).join(', ');
}

/** What a program is made of and what both tiers cost. */
export function costText(inspection: Inspection & { readonly operators?: Readonly<Record<string, number>> }): string {
  const { tiers, circuit, proving } = inspection;
  const { optimistic, zk } = tiers;
  const lines: Lines = [
    inspection.operators === undefined ? undefined : ['operators', counted(inspection.operators)],
    ['instructions', counted(inspection.instructions)],
    [
      'size',
      `${count(inspection.parameters)} parameters, ${count(inspection.macs)} multiply-adds, ${count(inspection.activations)} activations`,
    ],
    [
      'optimistic tier',
      `${optimistic.available ? 'yes' : `no: ${optimistic.reason}`}; worst dispute step ${bytes(optimistic.stepBytes)}, ${count(optimistic.stepGas)} gas`,
    ],
    [
      'zk tier',
      zk.available ? `yes; ${count(inspection.constraints)} constraints in a domain of ${count(inspection.domain)}` : `no: ${zk.reason}`,
    ],
    circuit === undefined
      ? undefined
      : [
          '',
          `model ${count(circuit.model)} (${circuit.perActivation} an activation), input ${count(circuit.input)}, output ${count(circuit.output)}`,
        ],
    circuit === undefined ? undefined : ['proving key', bytes(inspection.keyBytes)],
    proving === undefined
      ? undefined
      : ['a proof', `about ${seconds(proving.seconds)} and ${bytes(proving.memoryBytes)} of memory (${proving.basis})`],
    proving === undefined ? undefined : ['a development setup', `about ${seconds(proving.setupSeconds)}`],
  ];
  return facts(lines);
}

/** How the integer program follows the float model, and where it does not. */
export function accuracyText(report: CompileReport): string {
  const { score, losses } = report;
  const lines: Lines = [
    ['values', report.mode === 'wide' ? '16 bits' : '8 bits'],
    ['calibration', `${report.calibrationCases} rows${report.syntheticCases > 0 ? `, ${report.syntheticCases} made up around them` : ''}`],
    score.floatTop1 === undefined || score.integerTop1 === undefined
      ? undefined
      : ['accuracy', `float ${percent(score.floatTop1)}, integer ${percent(score.integerTop1)} of labelled rows`],
    ['scored on', `${score.cases} rows: ${score.from}`],
  ];
  const outputs = table(
    ['output', 'same largest', 'error / range', 'signal to noise'],
    score.outputs.map((output) => [
      output.name,
      output.agreement === undefined ? '–' : percent(output.agreement),
      percent(output.relativeError),
      `${output.decibels.toFixed(1)} dB`,
    ]),
  );
  const lost =
    losses.length === 0 ? '' : `\nmost was lost in ${losses.map(({ node, lost: by }) => `${node} (${by.toFixed(1)} dB)`).join(', ')}`;
  return `${facts(lines)}\n${outputs}${lost}`;
}

/** What the owner of the model should know before relying on it. */
export function adviceFor(source: { readonly noise: boolean }, inspection: Inspection, report: CompileReport): string[] {
  const noise =
    'no calibration data: the ranges of all values were taken from noise, so real inputs may be clipped or lose precision, and the accuracy shown is that on noise; compile with --calibration before relying on answers';
  const { zk } = inspection.tiers;
  const softmaxes = report.layers.some(({ kind }) => kind === 'softmax');
  return [
    ...(source.noise ? [noise] : []),
    ...report.warnings,
    ...(!zk.available && softmaxes
      ? ['a Softmax keeps this model out of the zk tier; if it is the last layer, --logits leaves it out']
      : []),
    ...(report.score.outputs.some(({ agreement, relativeError }) => (agreement ?? 1) < 0.97 || relativeError > 0.02)
      ? ['the integer program strays from the float model on the rows it was scored on; try more calibration rows or --wide']
      : []),
  ];
}
