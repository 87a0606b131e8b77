import type { Check, Checked, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import type { DefaultRoute, WayOut } from '../world.ts';

/** The way out of this machine: that there is one, that there is only one, and that it leads to the router. */
export const routes: Check = {
  name: 'routes',
  title: 'routes.name',
  needs: [],
  deadlineMs: 5000,
  run: async ({ world, signal, see }) => {
    const [four, six] = await Promise.all([world.wayOut(4, signal), world.wayOut(6, signal)]);
    const table = await world.defaultRoutes();
    const id = see('out', 'route', { four: four ?? null, six: six ?? null, table });
    if (four === undefined && six === undefined) return none(id);
    const findings = [...vpn(four ?? six, id), ...two(table, id)];
    const out = four ?? six;
    const values = { interface: out?.interface ?? '', address: out?.address ?? '' };
    const via =
      out?.gateway == null
        ? text('routes.direct', values)
        : text('routes.out', { ...values, gateway: out.gateway });
    return { text: via, findings };
  },
};

function none(evidence: string): Checked {
  return {
    text: text('routes.none'),
    findings: [
      {
        code: 'ROUTE_NONE',
        values: {},
        because: [evidence],
        fix: [
          { text: text('routes.fix.connect'), who: 'you' },
          { text: text('routes.fix.look'), command: 'ip route', who: 'you' },
        ],
      },
    ],
  };
}

function vpn(out: WayOut | undefined, evidence: string): Finding[] {
  if (out?.kind !== 'tunnel') return [];
  return [
    {
      code: 'ROUTE_VPN',
      values: { interface: out.interface },
      because: [evidence],
      fix: [
        { text: text('routes.fix.exclude', { interface: out.interface }), who: 'you' },
        { text: text('routes.fix.vpn-off'), who: 'you' },
      ],
    },
  ];
}

/** Two cables into the same router do no harm; two routers do. */
function two(table: readonly DefaultRoute[], evidence: string): Finding[] {
  const [first, ...others] = table.toSorted((a, b) => a.metric - b.metric);
  const other = others.find(({ gateway }) => gateway !== first?.gateway);
  if (first === undefined || other === undefined) return [];
  return [
    {
      code: 'ROUTE_TWO',
      values: {
        first: first.interface,
        firstGateway: first.gateway,
        second: other.interface,
        secondGateway: other.gateway,
      },
      because: [evidence],
      fix: [
        { text: text('routes.fix.one', { interface: other.interface }), who: 'you' },
        { text: text('routes.fix.source'), who: 'you' },
      ],
    },
  ];
}
