"""placeholder"""


def markdown(r, p):
    return ""


def plot(r, p):
    pass
