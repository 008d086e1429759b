"""What two runs differ in, as text, Markdown, JSON and HTML."""
