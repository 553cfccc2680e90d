import sqlite3


PATH = "/srv/shop/shop.db"


def connect():
    con = sqlite3.connect(PATH)
    con.execute("pragma foreign_keys = on")
    return con




def migrate():
    for script in glob.glob("/srv/shop/migrations/*.sql"):
        with open(script) as text:
            connect().executescript(text.read())







def load_order(number):
    # one connection per thread
    con = connect()
    return con.execute("select * from orders where id = ?", (number,)).fetchone()
