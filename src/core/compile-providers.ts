import type { Compiled, Provider, Want } from './contract.ts';
import { canonical } from './plan.ts';

/** One that the others ask for something is compiled once they are; it asks none of them. */
export function compileProviders(
  providers: readonly Provider[],
  compile: (provider: Provider, wants: readonly Want[]) => Compiled | undefined,
): ReadonlyMap<string, Compiled | undefined> {
  const alone = new Map(providers.map((provider) => [provider.id, compile(provider, [])] as const));
  const asked = [...alone.values()].flatMap((compiled) => compiled?.wants ?? []);
  asked.sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
  return new Map(
    providers.map((provider) => {
      const mine = asked.filter((want) => want.part === provider.id);
      return [provider.id, mine.length === 0 ? alone.get(provider.id) : compile(provider, mine)] as const;
    }),
  );
}
