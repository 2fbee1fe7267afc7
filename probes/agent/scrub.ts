/**
 * Text from the network or from an exception, made fit for a log and a status page: one line of printable ASCII, short,
 * and without anything that looks like an IP address.
 */
export const scrub = (text: string): string =>
  text
    .replace(/[^\x21-\x7e]+/g, ' ')
    .replace(/\d{1,3}(\.\d{1,3}){3}/g, '[address]')
    .replace(/(?<![0-9a-z])[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,}(?![0-9a-z])/gi, '[address]')
    .slice(0, 300)
