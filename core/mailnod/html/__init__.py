"""Reading and editing the HTML of mail, without a DOM and without changing any other byte."""
