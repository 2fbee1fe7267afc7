import { render } from 'preact'
import { Page } from './page.tsx'
import { adoptVerdictColours } from './shape.tsx'
import { ViewProvider } from './view.tsx'

adoptVerdictColours()
render(
  <ViewProvider>
    <Page />
  </ViewProvider>,
  document.body,
)
