/** Paths of sockets, quoted. */
export interface EdgeSockets {
  /** One of HAProxy's own. */
  readonly inner: (name: string) => string;
  /** Of the daemon, which hands out certificates of devices. */
  readonly handouts: string;
}

export type InnerSocket = EdgeSockets['inner'];

/** The end of a step, where TLS ends. */
export function bindInner(innerSocket: InnerSocket, name: string, list: string, rest: string): string {
  return `    bind ${innerSocket(name)} accept-proxy mode 600 ssl crt-list ${list} ssl-min-ver TLSv1.2${rest}`;
}

export function stepTo(innerSocket: InnerSocket, name: string, rest = ''): string[] {
  return [`backend gateway.${name}`, `    server inner ${innerSocket(name)} send-proxy-v2${rest}`];
}
