import { useEffect } from 'preact/hooks'
import { home } from './address.ts'
import { appName } from './app-name.ts'
import { ChartView } from './chart.tsx'
import { FindingView } from './finding.tsx'
import { MatrixView } from './matrix-view.tsx'
import { useView } from './view.tsx'

/** The frame around every view. */
export function Page() {
  const { address, words, format, link } = useView()
  const { finding, app, country, language } = address
  const isChart = finding === null && app !== null && country !== null
  const heading = isChart ? words.chart.heading(appName(app, language), format.country(country)) : words.matrix.heading
  useEffect(() => {
    document.title = `${finding === null ? heading : words.finding.heading} · ${words.title}`
  }, [finding, heading, words])
  return (
    <>
      <a class="skip" href="#main">
        {words.skip}
      </a>
      <header class="masthead">
        <a class="name" href={link({ ...home, at: address.at })}>
          {words.title}
          <span lang={language === 'fa' ? 'en' : 'fa'}>{language === 'fa' ? 'Peyk' : 'پیک'}</span>
        </a>
        <p>{words.tagline}</p>
        <a
          class="language"
          lang={language === 'fa' ? 'en' : 'fa'}
          href={link({ language: language === 'fa' ? 'en' : 'fa' })}
        >
          {words.otherLanguage}
        </a>
      </header>
      <main id="main" tabIndex={-1}>
        {finding !== null ? (
          <FindingView id={finding} />
        ) : isChart ? (
          <ChartView app={app} country={country} />
        ) : (
          <MatrixView />
        )}
      </main>
    </>
  )
}
