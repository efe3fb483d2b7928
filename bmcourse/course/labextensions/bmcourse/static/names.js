// What JupyterLab and ipywidgets leave without a name gets one here, for those who hear a page and do not see it:
// pictures their alt text, controls their labels. The arrow keys stay with the control that has the focus, and the
// words of controls are as large as those of the pictures, and grow with the window as they do.
(() => {
  const GROUPS = '.widget-radio, .widget-toggle-buttons'
  const CONTROLS = '[role=slider], select, input, textarea, .widget-readout'
  const grown = pixels => `max(${pixels}px, min(${pixels / 12.8}vw, ${pixels / 7.2}vh))` // as bmcourse/live/view.py says

  // ------------------------------------------------------------------------------- pictures among a cell's outputs

  // JupyterLab's own renderer leaves the metadata's "alt" out; "scale" is the width in pixels in a window of 1280 × 720.
  const pictures = Widget => ({
    id: 'bmcourse:pictures',
    rank: 80, // before JupyterLab's own, which is 90
    dataType: 'string',
    rendererFactory: {
      safe: true,
      mimeTypes: ['image/png'],
      createRenderer: ({ mimeType }) => Object.assign(new Widget(), {
        async renderModel(model) {
          const { alt = '', width, height, scale } = model.metadata[mimeType] ?? {}
          const picture = Object.assign(document.createElement('img'), { alt, src: `data:${mimeType};base64,${model.data[mimeType]}` })
          if (typeof width === 'number') picture.width = width
          if (typeof height === 'number') picture.height = height
          if (typeof scale === 'number') picture.style.width = grown(scale)
          this.addClass('jp-RenderedImage')
          this.node.replaceChildren(picture)
        }
      })
    }
  })

  // ------------------------------------------------------------------------------------------ the widgets of a cell

  const name = widget => {
    for (const box of widget.querySelectorAll('.bmcourse')) {
      const alt = box.querySelector('.bmcourse-alt')?.textContent
      for (const picture of box.querySelectorAll('img.widget-image')) picture.alt = alt ?? ''
    }
    for (const control of widget.querySelectorAll(CONTROLS)) {
      const label = control.closest('.widget-inline-hbox')?.querySelector('.widget-label')?.textContent
      if (label && !control.closest(GROUPS)) control.setAttribute('aria-label', label)
      control.setAttribute('data-lm-suppress-shortcuts', '')
    }
    for (const readout of widget.querySelectorAll('.widget-readout[contenteditable=true]')) readout.setAttribute('role', 'textbox')
    for (const group of widget.querySelectorAll(GROUPS)) {
      group.setAttribute('role', 'group')
      group.setAttribute('aria-label', group.querySelector('.widget-label')?.textContent ?? '')
      group.setAttribute('data-lm-suppress-shortcuts', '')
    }
    for (const button of widget.querySelectorAll('.widget-play button')) {
      const sign = button.querySelector('i')?.className.match(/fa-(play|pause|stop|retweet)/)?.[1]
      button.setAttribute('aria-label', { pause: 'Pause', stop: 'Stop', retweet: 'Repeat' }[sign] ?? 'Play')
    }
    for (const button of widget.querySelectorAll('.widget-toggle-button')) {
      button.setAttribute('aria-pressed', button.classList.contains('mod-active'))
    }
  }

  // ipywidgets moves among radio buttons with the arrow keys, and not among the buttons of a row.
  const walk = event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    const group = event.target.closest?.('.widget-toggle-buttons')
    if (!step || !group) return
    const buttons = [...group.querySelectorAll('button:enabled')]
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length]
    next?.focus()
    next?.click()
    event.preventDefault()
  }

  // ipywidgets' own 13 pixels cannot be read from the last row.
  const SIZES = {
    'font-size': 15, 'inline-height': 28, 'inline-width': 300, 'inline-width-short': 148, 'inline-width-tiny': 72,
    'inline-label-width': 80, 'radio-item-height': 20, 'slider-handle-size': 16
  }
  const STYLE = `.bmcourse { ${Object.entries(SIZES).map(([name, pixels]) => `--jp-widgets-${name}: ${grown(pixels)}`).join('; ')} }
    .bmcourse input[type=checkbox] { width: ${grown(13)}; height: ${grown(13)} }
    .bmcourse-text .widget-button:disabled { opacity: 1; cursor: default }`

  const watch = () => {
    document.head.append(Object.assign(document.createElement('style'), { textContent: STYLE }))
    let due = 0
    const later = () => { due ||= setTimeout(() => { due = 0; name(document) }, 100) }
    new MutationObserver(later).observe(document.body, {
      childList: true, subtree: true, characterData: true, attributeFilter: ['class']
    })
    document.addEventListener('keydown', walk)
  }

  // ------------------------------------------------------------------------------------- how JupyterLab finds these

  let shared
  window._JUPYTERLAB = window._JUPYTERLAB ?? {}
  window._JUPYTERLAB.bmcourse = {
    init: scope => { shared = scope },
    get: async part => {
      if (part === './extension') return () => ({ __esModule: true, default: { id: 'bmcourse:controls', autoStart: true, activate: watch } })
      const { Widget } = (await Object.values(shared['@lumino/widgets'])[0].get())()
      return () => ({ __esModule: true, default: pictures(Widget) })
    }
  }
})()
