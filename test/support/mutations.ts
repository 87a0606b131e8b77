/** Damaged copies of good input, for codecs that read what strangers send. Same seed, same copies. */
export const FUZZ_RUNS = Number(process.env['GATEWAY_FUZZ_RUNS'] ?? 10_000);
const SEED = Number(process.env['GATEWAY_FUZZ_SEED'] ?? 1);

/** `runs` copies; `pieces` are what the format is made of, put where they do not belong. */
export function* mutations(
  samples: readonly string[],
  pieces: readonly string[],
  runs: number = FUZZ_RUNS,
): Generator<string> {
  const random = randomOf(SEED);
  for (let run = 0; run < runs; run += 1) {
    let text = samples[run % samples.length] ?? '';
    const steps = 1 + random(4);
    for (let step = 0; step < steps; step += 1) text = mutate(text, pieces, random);
    yield text;
  }
}

type Random = (below: number) => number;

function mutate(text: string, pieces: readonly string[], random: Random): string {
  const at = random(text.length + 1);
  const until = Math.min(text.length, at + random(40));
  const piece = pieces[random(pieces.length)] ?? '';
  switch (random(7)) {
    case 0:
      return text.slice(0, at) + text.slice(until);
    case 1:
      return text.slice(0, at) + text.slice(at, until).repeat(1 + random(20)) + text.slice(until);
    case 2:
      return text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1);
    case 3:
      return text.slice(0, at);
    case 4:
      return text.slice(0, at) + piece.repeat(1 + random(3)) + text.slice(at);
    case 5:
      return text.slice(0, at) + piece + text.slice(until);
    default:
      return text.replace(/\d+/, () => String(random(2) === 0 ? 2 ** random(70) : -random(10)));
  }
}

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) % Math.max(below, 1);
  };
}
