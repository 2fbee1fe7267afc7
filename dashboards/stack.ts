/** Configuration of the programs beside Peyk: Prometheus, and Grafana's provisioning. Paths are those inside the stack. */

/** Where the programs of the stack find each other. */
export type Stack = {
  /** Addresses of /metrics of the server, of agents of the operator, of Prometheus and Alertmanager. */
  server: string
  agent: string
  prometheus: string
  alertmanager: string
  /** Folder of the boards inside Grafana. */
  boards: string
}

/** Seconds between two scrapes; `$__rate_interval` in Grafana follows it. */
const SCRAPE = '30s'
/** Late rollups reach so far back; the server splits off what is older. */
export const OUT_OF_ORDER = '7d'

export const prometheus = ({ server, agent, prometheus, alertmanager }: Stack): object => ({
  global: { scrape_interval: SCRAPE, scrape_timeout: '10s', evaluation_interval: SCRAPE },
  rule_files: ['rules.yaml', 'alerts.yaml'],
  alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
  storage: { tsdb: { out_of_order_time_window: OUT_OF_ORDER } },
  scrape_configs: [
    // A cap above the budget of measurement/metrics.ts: a runaway exporter fails its scrape instead of filling the disk.
    { job_name: 'peyk', sample_limit: 12_000, static_configs: [{ targets: [server] }] },
    { job_name: 'peyk-agent', sample_limit: 1_000, static_configs: [{ targets: [agent] }] },
    { job_name: 'prometheus', static_configs: [{ targets: [prometheus] }] },
    { job_name: 'alertmanager', static_configs: [{ targets: [alertmanager] }] },
  ],
})

export const datasources = ({ prometheus, alertmanager }: Stack): object => ({
  apiVersion: 1,
  prune: true,
  datasources: [
    {
      name: 'Prometheus',
      uid: 'peyk-prometheus',
      type: 'prometheus',
      access: 'proxy',
      url: `http://${prometheus}`,
      isDefault: true,
      editable: false,
      jsonData: { timeInterval: SCRAPE, httpMethod: 'POST', prometheusType: 'Prometheus', manageAlerts: true },
    },
    {
      name: 'Alertmanager',
      uid: 'peyk-alertmanager',
      type: 'alertmanager',
      access: 'proxy',
      url: `http://${alertmanager}`,
      editable: false,
      jsonData: { implementation: 'prometheus', handleGrafanaManagedAlerts: false },
    },
  ],
})

export const boardProvider = ({ boards }: Stack): object => ({
  apiVersion: 1,
  providers: [
    {
      name: 'peyk',
      folder: 'Peyk',
      folderUid: 'peyk',
      type: 'file',
      disableDeletion: true,
      allowUiUpdates: false,
      updateIntervalSeconds: 60,
      options: { path: boards },
    },
  ],
})
