"""Media: from a picture, figure, table, text, sound or distribution to bytes with a media type, and back.

Pure: files are named, never opened. Libraries are used where the value is of them, and never imported for anything else.
"""
