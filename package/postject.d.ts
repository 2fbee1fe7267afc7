/** The part of postject that is used here; it brings no types of its own. */
declare module 'postject' {
  export const inject: (
    file: string,
    section: string,
    content: Buffer,
    options: { sentinelFuse: string },
  ) => Promise<void>
}
