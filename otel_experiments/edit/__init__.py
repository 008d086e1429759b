"""What changes stored runs. Everything that does so, from the command line, Python or a page, goes through here."""
