/** For how many seconds the visitors of a name are told to come by https alone (edge-strict.ts). */
export const STRICT_MAP = 'strict.map';
export const NOT_TOLD = -1;

/** What a service says of this itself does not count: it knows nothing of how it is reached. */
export function strictLines(): string[] {
  return [
    `    http-request set-var(txn.strict) var(txn.host),map_str_int(${STRICT_MAP},${NOT_TOLD})`,
    '    http-response del-header Strict-Transport-Security',
    '    http-response set-header Strict-Transport-Security "max-age=%[var(txn.strict)]" if { var(txn.strict) -m int ge 0 }',
  ];
}
