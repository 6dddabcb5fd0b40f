/** This machine as an address of the web, seen from itself. */

const loopbackHost = /^(localhost|127(\.\d+){3}|::1|\[::1\])$/i;

/** Whether a host, as it stands in an address or in the config, is this machine itself and nobody else's way to it. */
export const isLoopback = (host: string): boolean => loopbackHost.test(host);

/** The port of an http:// address: 80 where it names none. */
export const httpPortOf = ({ port }: URL): number => (port === "" ? 80 : Number(port));
