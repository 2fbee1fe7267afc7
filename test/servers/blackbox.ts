import { request } from 'undici'
import { debianPeer, installed } from './debian.ts'

export const blackboxProgram = ['prometheus-blackbox-exporter', 'blackbox_exporter'].find(installed)

/** Debian's prometheus-blackbox-exporter with these modules (YAML, where ROOT is the file of the trusted root). */
export const blackbox = async (modules: string, root: string, prefix: readonly string[] = []) => {
  const [program = blackboxProgram!, ...before] = [...prefix, blackboxProgram!]
  const peer = await debianPeer({
    program,
    files: ({ folder }) => ({ 'blackbox.yml': modules.replaceAll('ROOT', `${folder}/root.pem`), 'root.pem': root }),
    args: ({ folder, port }) => [
      ...before,
      `--config.file=${folder}/blackbox.yml`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
  })
  return {
    pid: peer.pid,
    /** Its metrics of one probe, by name with labels. */
    probe: async (module: string, target: string): Promise<Map<string, number>> => {
      const url = `http://127.0.0.1:${peer.port}/probe?module=${module}&target=${encodeURIComponent(target)}`
      const { body } = await request(url)
      const lines = (await body.text()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
      return new Map(
        lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
      )
    },
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}
