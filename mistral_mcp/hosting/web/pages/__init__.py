"""The pages, for a browser with or without JavaScript, in English and French.

There are no cookies and no redirects: a token is in the body of a response, and nowhere else.
"""
