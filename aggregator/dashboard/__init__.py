"""The page for people: live books, orders, venues. No build step and nobody else's script."""
