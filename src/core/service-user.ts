/** Ids that systemd gives to dynamic users, and that nobody else may use (systemd.exec(5), DynamicUser=). */
export const FIRST_UID = 61_184;
export const LAST_UID = 65_519;

const COUNT = LAST_UID - FIRST_UID + 1;

/**
 * A user id for one more service. Gateways on one machine do not know of each other's choices, and two services of the
 * same id could read each other's files: so each begins where its name says, and only their names tell them apart.
 */
export function chooseUid(prefix: string, taken: readonly number[]): number {
  const used = new Set(taken);
  const start = prefix.split('').reduce((sum, letter) => sum * 37 + letter.charCodeAt(0), 7) * 64;
  for (let step = 0; step < COUNT; step += 1) {
    const uid = FIRST_UID + ((start + step) % COUNT);
    if (!used.has(uid)) return uid;
  }
  throw new RangeError(`all ${COUNT} user ids for services are in use`);
}
