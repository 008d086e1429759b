"""Reports of a comparison: text, HTML, JSON, JUnit, Markdown, GitHub."""
